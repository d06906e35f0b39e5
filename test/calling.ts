/** Calls between connected agents, from both ends. */
import type { Agent, Call, CallOptions, OutgoingCallOptions } from "../agent/node.ts";
import { within } from "./waiting.ts";

/** Places a call that the other end takes with `taking`. */
export async function connectCall(
  caller: Agent,
  callee: Agent,
  options: OutgoingCallOptions = {},
  taking: CallOptions = {},
): Promise<{ readonly call: Call; readonly answered: Call }> {
  const answered = Promise.withResolvers<Call>();
  callee.onCall(async (incoming) => answered.resolve(await incoming.accept(taking)));
  const call = await within("the call", caller.call(callee.id, options));
  return { call, answered: await within("the answer", answered.promise) };
}

/** One whole turn. */
export async function say(call: Call, pcm: Int16Array): Promise<void> {
  await call.audio.write(pcm);
  await call.audio.endTurn();
}
