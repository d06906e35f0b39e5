/** Whether calls that come in are to be heard, kept by the browser. */
const KEY = "parley.ring-aloud";

/** True unless people said otherwise. */
export function ringsAloud(): boolean {
  return localStorage.getItem(KEY) !== "no";
}

export function keepRingsAloud(isAloud: boolean): void {
  localStorage.setItem(KEY, isAloud ? "yes" : "no");
}
