import type { Result } from "../codecs/result.ts";
import {
  boolean,
  integer,
  object,
  oneOf,
  optional,
  readShape,
  type Shape,
  text,
} from "../signaling/shape.ts";

/** Most UTF-16 units that one message appends: written as escapes they still fit a data message. */
export const MAX_APPEND = 2_600;
/** Most UTF-16 units of one text. */
export const MAX_TEXT = 262_144;
/** Most characters that say why a text was cancelled. */
export const MAX_CANCEL_REASON = 128;

/** One message of a text stream (`docs/wire-media.md`): a text begins, grows and ends by such. */
export type TextMessage = {
  /** Which text: chosen by its writer, never again for another one. */
  readonly text: number;
  /** The first message of the text, and only that. */
  readonly begin?: true;
  readonly append?: string;
  /** Nothing more follows. */
  readonly end?: "finished" | "cancelled";
  /** Why it was cancelled. */
  readonly reason?: string;
};

const SHAPE: Shape<TextMessage> = object<TextMessage>({
  text: integer(0, Number.MAX_SAFE_INTEGER),
  begin: optional(boolean() as Shape<true>),
  append: optional(text({ max: MAX_APPEND })),
  end: optional(oneOf("finished", "cancelled")),
  reason: optional(text({ max: MAX_CANCEL_REASON })),
});

/** What a message on a stream labelled `parley.text` says. Fault: `field-invalid`. */
export function readTextMessage(value: unknown): Result<TextMessage> {
  return readShape(SHAPE, value, "text");
}
