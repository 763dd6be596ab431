// The text of EXPLAIN [ANALYZE] as a tree, its counts, and the time of each step.
//   order by t                          operators, two spaces deeper for each one below
//     scan varve.readings
//       time: ... to ...                what an operator works with
//   segments: 3 read, 12 pruned         counts, at the left edge
//   scan and group: 0.124 ms, 10 rows   steps

export interface PlanNode {
  text: string;
  facts: [name: string, value: string][];
  children: PlanNode[];
}

export interface PlanCount {
  name: string;
  parts: { count: number; what: string }[];
}

export interface PlanStep {
  name: string;
  ms: number;
  rows: number | undefined;
}

export interface Plan {
  roots: PlanNode[];
  facts: [name: string, value: string][];
  counts: PlanCount[];
  steps: PlanStep[];
}

const COUNTED = new Set(['segments', 'blocks', 'rows']);

export function parsePlan(lines: string[]): Plan {
  const plan: Plan = { roots: [], facts: [], counts: [], steps: [] };
  const open: { depth: number; node: PlanNode }[] = [];
  for (const line of lines) {
    const text = line.trim();
    if (text === '') continue;
    const depth = line.length - line.trimStart().length;
    const fact = /^([\w ]+?): (.+)$/.exec(text);
    if (depth === 0 && fact !== null) {
      addTotal(plan, fact[1]!, fact[2]!);
      continue;
    }
    while (open.length > 0 && open.at(-1)!.depth >= depth) open.pop();
    const above = open.at(-1)?.node;
    if (fact !== null && above !== undefined) {
      above.facts.push([fact[1]!, fact[2]!]);
      continue;
    }
    const node: PlanNode = { text, facts: [], children: [] };
    (above?.children ?? plan.roots).push(node);
    open.push({ depth, node });
  }
  return plan;
}

function addTotal(plan: Plan, name: string, value: string): void {
  const step = /^([\d.]+) ms(?:, (\d+) rows)?/.exec(value);
  if (COUNTED.has(name.toLowerCase())) {
    const parts = value.split(', ').flatMap((part) => {
      const found = /^(\d+) (.+)$/.exec(part);
      return found === null ? [] : [{ count: Number(found[1]), what: found[2]! }];
    });
    if (parts.length > 0) {
      plan.counts.push({ name, parts });
      return;
    }
  }
  if (step !== null)
    plan.steps.push({ name, ms: Number(step[1]), rows: step[2] === undefined ? undefined : Number(step[2]) });
  else plan.facts.push([name, value]);
}
