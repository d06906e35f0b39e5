import { expect, it } from "vitest";
import { ParleyError } from "../../codecs/parley-error.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { Mending } from "./mending.ts";

/** `restart`: what comes of the time it is tried, the first being 1. */
function scene(restart: (time: number) => Promise<void> = async () => {}) {
  const clock = new VirtualClock();
  const log: string[] = [];
  let times = 0;
  const note = (what: string) => log.push(`${clock.now()} ${what}`);
  const mending = new Mending({
    clock,
    restart() {
      times += 1;
      note("restart");
      return restart(times);
    },
    told: {
      connection: ({ connected }) => note(connected ? "connected" : "interrupted"),
      lost: (reason) => note(`lost: ${reason}`),
      report: (error) => note(String(error)),
    },
  });
  /** What happened by then. */
  const by = async (ms: number) => {
    await clock.run(ms);
    return log.splice(0);
  };
  return { by, mending };
}

const refusal = (code: "not-found" | "offline") =>
  Promise.reject(new ParleyError({ code, message: "So it is." }));

it("begins ICE anew after half a second and every two seconds, until something comes through", async () => {
  const { by, mending } = scene((time) => (time === 2 ? refusal("offline") : Promise.resolve()));
  mending.interrupted();
  expect(mending.isBroken).toBe(true);
  expect(await by(4_600)).toEqual(["0 interrupted", "500 restart", "2500 restart", "4500 restart"]);
  mending.connected();
  expect(mending.isBroken).toBe(false);
  expect(await by(60_000)).toEqual(["4600 connected"]);
});

it("leaves alone what mends itself within half a second, and what is told twice", async () => {
  const { by, mending } = scene();
  mending.connected();
  mending.interrupted();
  await by(499);
  mending.connected();
  mending.connected();
  expect(await by(10_000)).toEqual(["499 connected"]);
  mending.interrupted();
  mending.interrupted();
  expect(await by(11_000)).toEqual(["10000 interrupted", "10500 restart"]);
});

it("gives up after twenty seconds in which nothing came through", async () => {
  const { by, mending } = scene(() => refusal("offline"));
  mending.interrupted();
  const told = await by(60_000);
  expect(told.slice(0, 2)).toEqual(["0 interrupted", "500 restart"]);
  expect(told.slice(-2)).toEqual(["18500 restart", "20500 lost: ice-failed"]);
  expect(told).toHaveLength(12);
});

it("gives up at once where the server has no such peer connection any more", async () => {
  const { by, mending } = scene(() => refusal("not-found"));
  mending.interrupted();
  expect(await by(60_000)).toEqual(["0 interrupted", "500 restart", "500 lost: peer-closed"]);
});

it("begins anew on another network, unless it is at that already, and once at a time", async () => {
  const answered = Promise.withResolvers<void>();
  const { by, mending } = scene((time) => (time === 1 ? answered.promise : refusal("offline")));
  mending.networkChanged();
  const asked = mending.restart();
  expect(await by(100)).toEqual(["0 restart"]);
  answered.resolve();
  await asked;
  mending.networkChanged();
  expect(await by(200)).toEqual(["100 restart"]);
  mending.interrupted();
  mending.networkChanged();
  expect(await by(300)).toEqual(["200 interrupted"]);
  await expect(mending.restart()).rejects.toMatchObject({ code: "offline" });
});

it("does nothing after its end", async () => {
  const { by, mending } = scene();
  mending.interrupted();
  mending.stop();
  mending.connected();
  mending.networkChanged();
  expect(await by(60_000)).toEqual(["0 interrupted"]);
  const other = scene();
  other.mending.stop();
  other.mending.interrupted();
  other.mending.networkChanged();
  expect(await other.by(60_000)).toEqual([]);
});
