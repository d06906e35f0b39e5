import { expect, test } from "vitest";
import { offerVideo } from "./video-offer.ts";

const offered = (limits: Parameters<typeof offerVideo>[3]) =>
  offerVideo({ codecs: ["vp8"], renditions: 2 }, { first: 3 }, () => 7, limits).map(
    ({ stream, codecs: [codec] }) => [stream, codec?.max_height, codec?.max_frame_rate],
  );

test("a picture is offered within the caps of the scope that it is sent under", () => {
  expect(offered({})).toEqual([
    [3, 720, 30],
    [4, 360, 30],
  ]);
  expect(offered({ height: 480, "frame-rate": 15 })).toEqual([
    [3, 480, 15],
    [4, 240, 15],
  ]);
  expect(offered({ height: 1_080, "frame-rate": 60 })).toEqual(offered({}));
});
