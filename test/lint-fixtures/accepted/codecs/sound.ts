import { sha256 } from "@noble/hashes/sha2.js";
import { base64url } from "jose";
import { v7 } from "uuid";
import type { Fault } from "./result.ts";

export const name = (msecs: number, random: Uint8Array): string => v7({ msecs, random });
export const digest = (bytes: Uint8Array): string => base64url.encode(sha256(bytes));
export const larger = (left: number, right: number): number => Math.max(left, right);
export const fault = (at: string): Pick<Fault, "at"> => ({ at });
