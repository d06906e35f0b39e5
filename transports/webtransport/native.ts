/** WebTransport as the native binding has it; browsers' own is made to look the same. */

/** The native QUIC binding: what of it Parley uses. Certificate verification cannot be left out, so that way is not here. */
export interface NativeBinding {
  readonly NapiClient: {
    withSystemRoots(): NativeClient;
    withCertificateHashes(hashes: readonly Uint8Array[]): NativeClient;
  };
  readonly NapiServer: {
    /** Throws when the address is taken or the PEM texts are no certificate and key. */
    bind(address: string, certificatePem: Uint8Array, keyPem: Uint8Array): NativeServer;
  };
}

export interface NativeClient {
  /** Has no timeout of its own below the 30 s idle one, and cannot be called off. */
  connect(url: string): Promise<NativeSession>;
}

export interface NativeServer {
  /** One at a time. Handshakes make progress only while one is pending. */
  accept(): Promise<NativeRequest | null>;
  /** Blocks the whole thread for ever while an `accept` is pending. */
  close(): void;
}

export interface NativeRequest {
  readonly url: Promise<string>;
  ok(): Promise<NativeSession>;
  reject(status: number): Promise<void>;
}

export interface NativeSession {
  acceptUni(): Promise<NativeReceiveStream>;
  acceptBi(): Promise<NativeBidirectionalStream>;
  /** Waits without a limit once the peer has about 100 unfinished ones. */
  openUni(): Promise<NativeSendStream>;
  openBi(): Promise<NativeBidirectionalStream>;
  /** Copies. Throws when the datagram is too large or the session is over. */
  sendDatagram(data: Uint8Array): void;
  /** Keeps order only with one outstanding call. */
  recvDatagram(): Promise<Uint8Array>;
  /** Aborts the process when the peer does not take datagrams at all: call it only after one was accepted for sending. */
  maxDatagramSize(): number;
  close(code: number, reason: string): void;
  /** Never rejects. */
  closed(): Promise<{ readonly closeCode: number; readonly reason: string }>;
}

export interface NativeBidirectionalStream {
  takeSend(): NativeSendStream;
  takeRecv(): NativeReceiveStream;
}

/** Calls on one stream wait for each other: a `reset` behind a blocked `write`, a `stop` behind a pending `read`. */
export interface NativeSendStream {
  write(data: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  reset(code: number): Promise<void>;
}

export interface NativeReceiveStream {
  read(maxSize: number): Promise<Uint8Array | null>;
  stop(code: number): Promise<void>;
}
