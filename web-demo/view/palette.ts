/** Colours of the style sheet for what is painted on canvas, read again when the scheme changes. */

export type ColorName =
  | "accent"
  | "accent-soft"
  | "ink"
  | "muted"
  | "rule"
  | "late"
  | "refused"
  | "concealed";

const NAMES: readonly ColorName[] = [
  "accent",
  "accent-soft",
  "ink",
  "muted",
  "rule",
  "late",
  "refused",
  "concealed",
];

let colors: Readonly<Record<ColorName, string>> | undefined;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colors = undefined;
});

export function palette(): Readonly<Record<ColorName, string>> {
  if (colors === undefined) {
    const style = getComputedStyle(document.documentElement);
    colors = Object.fromEntries(
      NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
    ) as Record<ColorName, string>;
  }
  return colors;
}

/** What each canvas measures on the page, CSS pixels: told by the browser when it changes, since to ask for it has the whole page laid out. */
const sizes = new WeakMap<Element, Size>();
const measuring = new ResizeObserver((entries) => {
  for (const { target } of entries) sizes.set(target, measured(target));
});

interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a canvas measures on the page, CSS pixels. */
export function sizeOf(canvas: HTMLCanvasElement): Size {
  const known = sizes.get(canvas);
  if (known !== undefined) return known;
  const size = measured(canvas);
  sizes.set(canvas, size);
  measuring.observe(canvas);
  return size;
}

function measured({ clientWidth: width, clientHeight: height }: Element): Size {
  return { width, height };
}

/** A canvas drawn at the screen's own resolution, in CSS pixels; undefined while it has no size. */
export function fitCanvas(
  canvas: HTMLCanvasElement,
): { readonly pen: CanvasRenderingContext2D; readonly width: number; readonly height: number } | undefined {
  const { width, height } = sizeOf(canvas);
  const pen = canvas.getContext("2d");
  if (pen === null || width === 0 || height === 0) return undefined;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}
