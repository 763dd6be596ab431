// How fast a growing total grows, over the last few seconds.

// Shorter flickers, longer lags behind.
const WINDOW_MS = 5_000;

interface Sample {
  at: number; // ms
  total: number;
}

export class Rates {
  private readonly samples = new Map<string, Sample[]>();

  // The rate per second of the total called `name`; undefined until there are two looks at it.
  of(name: string, total: number | undefined, at: number): number | undefined {
    if (total === undefined) return undefined;
    const list = this.samples.get(name) ?? [];
    this.samples.set(name, list);
    const last = list.at(-1);
    if (last !== undefined && total < last.total) list.length = 0; // the server was started anew
    if (last === undefined || at > last.at) list.push({ at, total });
    while (list.length > 2 && list[1]!.at <= at - WINDOW_MS) list.shift();
    const first = list[0]!;
    const newest = list.at(-1)!;
    return newest.at === first.at ? undefined : ((newest.total - first.total) * 1000) / (newest.at - first.at);
  }
}
