// What this browser remembers. Storage may be full, forbidden or hold another version's words: all three mean "nothing".

export function recall<T>(key: string, otherwise: T, fits: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(`varve.${key}`) ?? 'null');
    return fits(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`varve.${key}`, JSON.stringify(value));
  } catch {
    // full or forbidden: the page works without
  }
}
