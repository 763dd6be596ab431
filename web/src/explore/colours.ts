// A colour per line: six that were chosen, then hues as far apart as they go.

const CHOSEN = 6;
// The golden angle: neighbours in number are never neighbours in hue.
const HUE_STEP = 137.508;

export function lineColour(index: number, property: (name: string) => string, theme: 'light' | 'dark'): string {
  if (index < CHOSEN) return property(`--line-${index + 1}`);
  return `hsl(${Math.round((index * HUE_STEP) % 360)} 50% ${theme === 'dark' ? 68 : 40}%)`;
}

export function swatchColour(index: number, theme: 'light' | 'dark'): string {
  return lineColour(index, (name) => `var(${name})`, theme);
}
