import { expect, it } from "vitest";
import type { Connection } from "../../sfu/carrier.ts";
import { World } from "../../test/scenario/world.ts";

it("counts the datagrams that connections gave up, of those that are over as well", async () => {
  const world = new World({ toClient: { datagram: (_, now) => now + 1_000, reliable: (_, now) => now } });
  const accepted = Promise.withResolvers<Connection>();
  world.network.listen("parley.test:4480", (connection) => {
    accepted.resolve(connection);
    return world.server.accept(connection, ["https://parley.test:4480"]);
  });
  const ignore = { datagram() {}, stream() {}, exchange() {}, closed() {} };
  const client = await world.network.connect("https://parley.test:4480/agtp", {}, () => ignore);
  const connection = await accepted.promise;
  for (let sent = 0; connection.drops?.full !== 7; sent++) {
    if (sent > 100_000) throw new Error("nothing is ever dropped");
    connection.sendDatagram(Uint8Array.of(1));
  }
  const drops = { memory: { late: 0, full: 7 } };
  expect(world.server.overview().datagramDrops).toEqual(drops);
  client.close(0, "");
  await world.clock.advance(2_000);
  expect(world.server.overview()).toMatchObject({ connections: {}, datagramDrops: drops });
});
