import { thing } from "../platform/browser/thing.ts";
import { carrier } from "../transports/webtransport/browser-client.ts";
import { socket } from "../transports/websocket/browser-client.ts";

export const machine = [thing, carrier, socket];
