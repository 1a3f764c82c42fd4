/** Surfaces behind text in the brand colour: cards and pages of both themes. */
const SURFACES = { light: ['#ffffff', '#f6f7f9'], dark: ['#181c22', '#0f1216'] } as const;
/** Text of normal size (WCAG 2.2, 1.4.3). */
const TEXT_CONTRAST = 4.5;
/** Black has more contrast above this luminance, white below; either way at least 4.58. */
const SWITCH = 0.179;

type Rgb = readonly [number, number, number];

/**
 * The style sheet that makes a brand colour readable: the colour itself behind black or white, and a shade of it as
 * text, darker or lighter until its contrast suffices on every surface of the theme.
 *
 * @param color as `#3451b2`.
 */
export function brandCss(color: string): string {
  const brand = color.toLowerCase();
  const on = luminance(rgbOf(brand)) > SWITCH ? '#000000' : '#ffffff';
  const values = {
    '--brand': brand,
    '--brand-on': on,
    '--brand-text': shade(brand, SURFACES.light, '#000000'),
    '--brand-dark': shade(brand, SURFACES.dark, '#ffffff'),
    '--brand-text-dark': shade(brand, SURFACES.dark, '#ffffff'),
  };
  const onDark = luminance(rgbOf(values['--brand-dark'])) > SWITCH ? '#000000' : '#ffffff';
  const lines = Object.entries({ ...values, '--brand-on-dark': onDark }).map(
    ([name, value]) => `  ${name}: ${value};`,
  );
  return `:root {\n${lines.join('\n')}\n}\n`;
}

/** The first mix with a target that is readable on all surfaces. */
function shade(color: string, surfaces: readonly string[], target: string): string {
  for (let part = 0; part <= 100; part += 2) {
    const mixed = mix(rgbOf(color), rgbOf(target), part / 100);
    if (surfaces.every((surface) => contrast(mixed, rgbOf(surface)) >= TEXT_CONTRAST)) return hexOf(mixed);
  }
  return target;
}

/** The contrast ratio of two colours (WCAG 2.2), from 1 to 21. */
function contrast(one: Rgb, other: Rgb): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(from: Rgb, to: Rgb, part: number): Rgb {
  const at = (index: 0 | 1 | 2) => Math.round(from[index] + (to[index] - from[index]) * part);
  return [at(0), at(1), at(2)];
}

function rgbOf(color: string): Rgb {
  const channel = (start: number) => Number.parseInt(color.slice(start, start + 2), 16);
  return [channel(1), channel(3), channel(5)];
}

function hexOf(color: Rgb): string {
  return `#${color.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}
