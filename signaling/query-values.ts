import { isJsonObject, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";

/**
 * Parameters as their schema wants them where they came in a query, which carries nothing but text: numbers, true and false, and
 * lists by their commas. What does not read so stays the text it is, for the check to refuse.
 */
export function typedParameters(
  parameters: JsonObject,
  queried: readonly string[],
  schema: JsonObject,
): JsonObject {
  const { properties } = schema;
  if (queried.length === 0 || !isJsonObject(properties)) return parameters;
  const typed = queried.flatMap((name) => {
    const member = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const text = parameters[name];
    return isJsonObject(member) && typeof text === "string" ? [[name, readText(text, member)]] : [];
  });
  return { ...parameters, ...Object.fromEntries(typed) };
}

/** The items of a list written with commas. */
export function commaList(text: string): readonly string[] {
  return text.split(",").map((item) => item.trim());
}

function readText(text: string, { type }: JsonObject): JsonValue {
  switch (type) {
    case "integer":
    case "number":
      return NUMBER.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" || text === "false" ? text === "true" : text;
    case "array":
      return commaList(text);
    default:
      return text;
  }
}

/** As JSON writes numbers, within what any parameter may be. */
const NUMBER = /^-?[0-9]{1,20}(?:\.[0-9]{1,20})?$/;
