/**
 * The origin under which a request names this server, where it is one of `origins`: a page that reached it by any other
 * name was led here by a name that somebody else owns (DNS rebinding), or by one that no proof could name. Behind a proxy
 * that ends TLS the request is plain and the origin is not.
 */
export function pageOrigin(
  request: { readonly secure: boolean; readonly host: string | undefined },
  origins: readonly string[],
): string | undefined {
  const { secure, host } = request;
  if (host === undefined || !HOST.test(host)) return undefined;
  for (const scheme of secure ? ["https"] : ["http", "https"]) {
    const url = `${scheme}://${host}`;
    const origin = URL.canParse(url) ? new URL(url).origin : undefined;
    if (origin !== undefined && origins.includes(origin)) return origin;
  }
  return undefined;
}

/** A host and a port, nothing that a URL would read otherwise. */
const HOST = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
