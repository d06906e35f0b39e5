import { systemClock } from "../../platform/node/clock.ts";
import { readConfigFile, type ServerSettings, trustOf } from "../config.ts";
import { type RunningServer, serve } from "../server/serve.ts";
import { addToTrustFile } from "../trust-file.ts";
import { collectWhenQuiet } from "./collect-when-quiet.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { takeInterrupts } from "./interrupts.ts";
import type { Output } from "./output.ts";
import { collectInShort, giveRoomInFloods } from "./short-collections.ts";
import { webRtcText } from "./webrtc-text.ts";

/** Flags of `parley serve`: settings, and where more of them are. */
export interface ServeFlags extends ServerSettings {
  /** JSON file of settings; flags win over it. */
  readonly config?: string;
  /** Trust file that the server's Agent-ID is added to. */
  readonly trust?: string;
}

/** `parley serve`: runs a server until a signal stops it. */
export async function serveCommand(flags: ServeFlags, output: Output): Promise<ExitCode> {
  const { config, trust, ...settings } = flags;
  const collect = collectInShort();
  const fromFile = config === undefined ? {} : await readConfigFile(config);
  const server = await serve({ ...fromFile, ...settings } as ServerSettings);
  const interrupts = takeInterrupts(() => {
    output.note(`stopping; calls may go on for ${server.config.grace} s, a second signal stops at once`);
    void server.stop();
  });
  const collectNoMore = collectWhenQuiet(server, systemClock, collect);
  const giveNoRoom = giveRoomInFloods(server, systemClock);
  try {
    if (trust !== undefined) await addToTrustFile(trust, { issuerKeys: [], agentIds: [server.agentId] });
    announce(server, output);
    const failure = await server.ended;
    if (failure === undefined) return EXIT.done;
    // What was announced stands on standard output already; the failure goes beside it.
    output.note(`parley: ${failure.code}: ${failure.message}`);
    return exitCodeOf(failure);
  } catch (error) {
    await server.stop(0);
    throw error;
  } finally {
    collectNoMore();
    giveNoRoom();
    interrupts.release();
  }
}

function announce(server: RunningServer, output: Output): void {
  const { url, agentId, certificateHash, config } = server;
  if (config.registration === "open") {
    output.note(
      "WARNING: registration is open: every agent that reaches this server may register itself and call.",
    );
  }
  const { trustFloor } = trustOf(config);
  if (trustFloor === "experimental") {
    output.note(
      "WARNING: the trust floor is experimental: agents of trust tier 3 may talk; never in production.",
    );
  } else if (trustFloor === "org-asserted") {
    output.note(
      "WARNING: the trust floor is org-asserted: agents of trust tier 2 may talk without an Agent Certificate.",
    );
  }
  output.result(
    {
      url,
      http_url: server.httpUrl,
      websocket_url: server.webSocketUrl,
      agtp_url: server.agtpUrl,
      webrtc: server.webRtc,
      agent_id: agentId,
      certificate_hash: certificateHash,
      certificate_not_after: new Date(server.certificateNotAfter).toISOString(),
      origins: server.origins,
      data_folder: config.dataFolder,
      registration: config.registration,
      trust_floor: trustFloor,
      pid: process.pid,
    },
    ...pageLines(server),
    `Parley listens on ${url}`,
    ...(server.agtpUrl === undefined ? [] : [`  AGTP over TLS     ${server.agtpUrl}`]),
    `  WebRTC            ${webRtcText(server.webRtc)}`,
    `  agent id          ${agentId}`,
    `  certificate hash  ${certificateHash}`,
    `  data folder       ${config.dataFolder}`,
    `  registration      ${config.registration}`,
    `  trust floor       ${trustFloor}`,
    "An agent that answers:",
    `  parley answer --url ${url} --cert-hash ${certificateHash} --key AGENT.key --echo`,
  );
}

/** What to open in a browser; off this machine only where the operator's certificate is trusted. */
function pageLines({ httpUrl, webSocketUrl, config, origins }: RunningServer): string[] {
  const isElsewhere = config.certificateFile !== undefined && webSocketUrl?.startsWith("wss:") === true;
  const pages = [httpUrl, isElsewhere ? (config.origins[0] ?? origins[0]) : undefined];
  const given = pages.filter((page) => page !== undefined);
  return config.page && given.length > 0 ? [`Open ${given.join(" or ")}`] : [];
}
