/**
 * The URL of a script that runs `program` by itself in a scope of its own: a worker, an audio worklet. Such a program uses
 * nothing from outside its body, so that bundlers need know nothing of it and it works from every package and every page
 * whose content security policy takes `blob:` as a script.
 */
export function inlineModule(program: () => void): string {
  return URL.createObjectURL(new Blob([`(${program})();`], { type: "text/javascript" }));
}
