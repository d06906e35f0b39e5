import type { AgtpRequest, AgtpResponse } from "../codecs/message.ts";

/** Reads the bytes of one stream in order. One reader at a time. */
export interface ReceiveStream {
  /** The next bytes, at least one; `undefined` once the peer finished cleanly. Throws `connection-lost` on a reset. */
  read(): Promise<Uint8Array | undefined>;
  /** Asks the peer to stop sending, with an application code. */
  stop(code: number): void;
}

/** Writes the bytes of one stream in order. */
export interface SendStream {
  /** Resolves when the carrier took the bytes. They are copied or sent before it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** No more bytes will follow. */
  finish(): Promise<void>;
  /** Abandons the stream with an application code; what was not delivered is lost. */
  reset(code: number): void;
}

/** One bidirectional stream: the carrier of one exchange (a request and its answers). */
export interface DuplexStream {
  readonly receive: ReceiveStream;
  readonly send: SendStream;
  /**
   * SHA-256 (32 bytes) of the exporter of the TLS connection this exchange runs on (RFC 9266, `EXPORTER-Channel-Binding`), where
   * exchanges may run on different ones.
   */
  readonly channelBinding?: Uint8Array | undefined;
}

/** What became of a datagram handed to the carrier. */
export type DatagramFate = "sent" | "too-large" | "closed";

export interface CloseInfo {
  /** Application close code; see `CLOSE_CODES`. */
  readonly code: number;
  readonly reason: string;
  /** The connection broke: neither side said, or showed, that it was done. */
  readonly isLost?: boolean;
}

/** Why a connection is closed on purpose. */
export const CLOSE_CODES = {
  normal: 0,
  protocolViolation: 1,
  badSignatures: 2,
  livenessTimeout: 3,
  shutdown: 4,
  replaced: 5,
  forbidden: 6,
  overloaded: 7,
  /** The token in the URL is missing, wrong or old: a fresh one may open the way. */
  tokenRefused: 8,
} as const;

/** Reason, with code `normal`, for which a server closes a connection that carried one session's media: the session is over. */
export const SESSION_OVER = "session-over";

/** What a connection tells its owner. Set once, before anything can arrive; called from the carrier's own turn. */
export interface ConnectionHandlers {
  /** One datagram. `bytes` is valid only during the call: copy what must outlive it. */
  datagram(bytes: Uint8Array): void;
  /** The peer opened a unidirectional stream. */
  stream(stream: ReceiveStream): void;
  /** The peer opened an exchange. Only servers get these: clients open every bidirectional stream. */
  exchange(stream: DuplexStream): void;
  /** The connection is over, by whichever side. Called exactly once. */
  closed(info: CloseInfo): void;
}

/** What a probe found missing: datagrams that come back, or streams that the server opens. */
export type Unreached = "datagrams" | "streams";

export type CarrierKind = "memory" | "webtransport" | "websocket" | "tls";

/** Datagrams dropped, counted. */
export interface DatagramDrops {
  /** Waited too long. */
  late: number;
  /** The oldest of too many that waited. */
  full: number;
}

/** Whether the peer of a connection answers pings: a path may go dark long before the connection is given up. */
export interface Path {
  /** No ping was answered for so long that another way is worth trying. */
  readonly isDark: boolean;
  /** Calls `told` whenever `isDark` changes, until the connection is over. For one owner; the last one counts. */
  watch(told: (isDark: boolean) => void): void;
  /** Whether anything depends on noticing soon: pings come every second then, and at once when nothing else is heard. */
  attend(isAttentive: boolean): void;
  /** Something that should have been answered was not: pings at once. */
  doubt(): void;
}

/** One live connection to a peer, whichever carrier it runs on. */
export interface Connection {
  readonly carrier: CarrierKind;
  /** The URL the client dialled, as this side knows it. */
  readonly url: string;
  /** SHA-256 (32 bytes) of the one certificate this client insisted on, and the server showed; none with system roots, and at servers. */
  readonly pinned: Uint8Array | undefined;
  /** One sentence saying why it is this carrier, where there was a choice. */
  readonly choice: string | undefined;
  /** `host:port` of the peer, where the carrier tells. */
  readonly peerAddress: string | undefined;
  /** At servers: SHA-256 (32 bytes) of the TLS exporter (RFC 9266), where the carrier tells. */
  readonly channelBinding?: Uint8Array | undefined;
  /** At servers: the raw Ed25519 key (32 bytes) of the certificate that the client proved to hold in the handshake, where it showed one. */
  readonly peerKey?: Uint8Array | undefined;
  /** At servers: the certificates (DER) that the client showed in the handshake, its own first, as it sent them: none of them is judged. */
  readonly peerCertificates?: readonly Uint8Array[] | undefined;
  /** At clients whose media needs connections of its own; elsewhere media flows on this one. */
  readonly media?: MediaDoor | undefined;
  /** Smoothed round trip in milliseconds from the carrier's own ping, once known. */
  readonly roundTrip: number | undefined;
  /** At clients whose carrier pings: whether the server still answers. */
  readonly path?: Path | undefined;
  /** Datagrams that this side dropped before they reached the network, by reason, where the carrier tells. */
  readonly drops: Readonly<DatagramDrops> | undefined;
  /** Largest datagram the connection takes now, bytes. */
  readonly maxDatagram: number;
  /** Opens an exchange; clients only. */
  openExchange(): Promise<DuplexStream>;
  /** Opens a unidirectional stream. */
  openStream(): Promise<SendStream>;
  /** Hands one datagram over, unreliably and without waiting. The bytes are copied before it returns. */
  sendDatagram(bytes: Uint8Array): DatagramFate;
  /**
   * Asks the server for a datagram and for a stream of its own opening, and resolves with what did not come within `ms`, or before the
   * connection was over; `undefined` when both came. For clients, once, with pings on.
   */
  probe(ms: number): Promise<Unreached | undefined>;
  /** At servers: the final answer given last turns this connection into one for media, which takes no request any more. */
  beginMedia?(): void;
  /** Orderly close. Idempotent. */
  close(code: number, reason: string): void;
}

/** Opens connections for media where they are not those of requests. */
export interface MediaDoor {
  /**
   * Opens a connection and sends on it the one request that `request` makes for its channel binding. A success turns it into a
   * connection for datagrams and streams, which the caller closes. Throws as `Carrier.connect` does, and `connection-lost`.
   */
  open(
    request: (channelBinding: Uint8Array) => Promise<AgtpRequest>,
    handlers: (connection: Connection) => ConnectionHandlers,
  ): Promise<MediaOpening>;
}

/** What a server answered to a connection for media. */
export interface MediaOpening {
  readonly answer: AgtpResponse;
  /** `undefined` when the answer is a refusal. */
  readonly connection: Connection | undefined;
}

/** Makes client connections of one carrier. */
export interface Carrier {
  connect(
    url: string,
    options: ConnectOptions,
    handlers: (connection: Connection) => ConnectionHandlers,
  ): Promise<Connection>;
  /** Another way to the server of a connection made here whose path is dark; `undefined` where there is none. */
  instead?(connection: Connection): Carrier | undefined;
  /** The way that a connection made here stands in for, to go back to when that may work again; `undefined` where it stands in for none. */
  preferred?(connection: Connection): Carrier | undefined;
}

export interface ConnectOptions {
  /** SHA-256 hashes (32 bytes) of the certificates to accept. Absent: system roots. There is no way to skip verification. */
  readonly certificateHashes?: readonly Uint8Array[];
  /** What the connection says as its `choice`. */
  readonly choice?: string;
  /** Where WebSocket goes, for a carrier that chooses. Default: its own, else the same host and port as the URL dialled. */
  readonly webSocketUrl?: string;
  /** Milliseconds until `connect-timeout`. Default 5,000. */
  readonly connectTimeout?: number;
}

/** A server's listening end. */
export interface Listener {
  /** `host:port` actually bound. */
  readonly address: string;
  /** Stops accepting, then closes what is open with `CLOSE_CODES.shutdown`. Idempotent. */
  close(): Promise<void>;
}

/** Largest packet with its flow identifier that Parley puts into one datagram, bytes. */
export const MAX_DATAGRAM_BYTES = 1150;
