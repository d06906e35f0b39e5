import { expect, it } from "vitest";
import { duplicateMember } from "./duplicate-members.ts";

it.each([
  ["{}", undefined],
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', undefined],
  ['{"a":"b","b":"a","c":":","d":"{\\"a\\":1,\\"a\\":2}"}', undefined],
  ['{"a":1,"a":1}', "a"],
  ['{"a":1,"\\u0061":2}', "a"],
  ['{"a":1, "b" : {"c":[{"d":1 , "d" :2}]}}', "d"],
  ['[{"a":[]},{"b":{},"b":1}]', "b"],
  ['{"\\"":1,"\\"":2}', '"'],
])("%s has %s twice", (text, name) => {
  expect(duplicateMember(text)).toBe(name);
});
