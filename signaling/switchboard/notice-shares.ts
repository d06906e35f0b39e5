/**
 * Unacknowledged events that agents sent, of all inboxes together, in one inbox, and of one sender in it. Beyond, one goes that
 * was delivered, or one of whoever has most; they never push out what the server has to tell.
 */
export const MAX_NOTICES = 16_384;
export const MAX_NOTICES_PER_INBOX = 32;
const MAX_NOTICES_PER_SENDER = 8;

/** Who sent an event. */
export interface NoticeSender {
  readonly agentId: string;
  /** Its owner, with who vouches for that: all of one owner's agents share what one owner may have. */
  readonly owner: string;
}

interface Notice {
  readonly from: NoticeSender;
}

/**
 * What becomes of one more event of `from` beside those of an inbox, oldest first: it fits, or fits once `drop` has gone, or not
 * at all. `delivered` says that those went out to a subscription that stands: then there is always room.
 */
export function roomForNotice<N extends Notice>(
  notices: readonly N[],
  from: NoticeSender,
  delivered: boolean,
): { readonly fits: boolean; readonly drop?: N } {
  const own = notices.filter((notice) => notice.from.agentId === from.agentId);
  const [ownOldest] = own;
  if (own.length >= MAX_NOTICES_PER_SENDER && ownOldest !== undefined) {
    return delivered ? { fits: true, drop: ownOldest } : { fits: false };
  }
  if (notices.length < MAX_NOTICES_PER_INBOX) return { fits: true };
  const drop = oldestOfMost(notices);
  const isOwn = shareOf(from.owner, notices) >= shareOf(drop?.from.owner, notices);
  if (drop === undefined || (isOwn && !delivered)) return { fits: false };
  return { fits: true, drop };
}

/** The oldest event of the owner that has most of them; of owners that have as many, the oldest of all. */
export function oldestOfMost<N extends Notice>(notices: readonly N[]): N | undefined {
  let found: N | undefined;
  for (const notice of notices) {
    if (found === undefined || shareOf(notice.from.owner, notices) > shareOf(found.from.owner, notices)) {
      found = notice;
    }
  }
  return found;
}

function shareOf(owner: string | undefined, notices: readonly Notice[]): number {
  return notices.filter((notice) => notice.from.owner === owner).length;
}
