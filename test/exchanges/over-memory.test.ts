import { expect } from "vitest";
import { ORIGIN, World } from "../scenario/world.ts";
import { exchangesOver } from "./suite.ts";
import { ROOMY, SILENT } from "./ways.ts";

exchangesOver("memory, on virtual time", async () => {
  const world = new World({ config: { limits: ROOMY } });
  return {
    connect: (handlers = SILENT) => world.network.connect(ORIGIN, {}, () => handlers),
    origin: ORIGIN,
    wall: () => world.clock.wall(),
    during: (promise) => world.during(promise),
    close: async () => {
      expect(world.reported).toEqual([]);
      await world.stopServer();
    },
  };
});
