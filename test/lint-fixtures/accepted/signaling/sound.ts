import type { Result } from "../codecs/result.ts";

export const unwrap = <T>(result: Result<T>): T | undefined => (result.ok ? result.value : undefined);
