// EXPLAIN ANALYZE for people: the tree of operators, what was read and what was not, and where the time went.
import { count } from '../shared/format';
import { parsePlan } from './plan';
import type { PlanCount, PlanNode, PlanStep } from './plan';

export function PlanView({ lines }: { lines: string[] }) {
  const plan = parsePlan(lines);
  return (
    <div class="plan" id="plan">
      {plan.facts.length > 0 && (
        <dl class="facts">
          {plan.facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <ul class="tree">
        {plan.roots.map((node, i) => (
          <Node node={node} key={i} />
        ))}
      </ul>
      {plan.counts.length > 0 && (
        <>
          <h3>Read and pruned</h3>
          {plan.counts.map((one) => (
            <Count one={one} key={one.name} />
          ))}
        </>
      )}
      {plan.steps.length > 0 && <Steps steps={plan.steps} />}
    </div>
  );
}

function Node({ node }: { node: PlanNode }) {
  return (
    <li>
      <span class="operator">{node.text}</span>
      {node.facts.length > 0 && (
        <dl>
          {node.facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {node.children.length > 0 && (
        <ul>
          {node.children.map((child, i) => (
            <Node node={child} key={i} />
          ))}
        </ul>
      )}
    </li>
  );
}

// Of segments and blocks the first number was worked with; the rest was saved work. Rows out are part of rows scanned.
function Count({ one }: { one: PlanCount }) {
  const total = one.name === 'rows' ? 0 : one.parts.reduce((sum, part) => sum + part.count, 0);
  return (
    <div class="count">
      <span class="what">{one.name}</span>
      {total > 0 && (
        <span class="shares" aria-hidden="true">
          {one.parts.map((part, i) => (
            <span class={`share part-${i}`} style={{ width: `${(part.count / total) * 100}%` }} key={i} />
          ))}
        </span>
      )}
      <span class="parts">
        {one.parts.map((part, i) => (
          <span class={`part part-${i}`} key={i}>
            <strong>{count(part.count)}</strong> {part.what}
          </span>
        ))}
      </span>
    </div>
  );
}

function Steps({ steps }: { steps: PlanStep[] }) {
  const most = Math.max(...steps.map((step) => step.ms), 0.001);
  return (
    <>
      <h3>Time</h3>
      {steps.map((step) => (
        <div class="count" key={step.name}>
          <span class="what">{step.name}</span>
          <span class="shares" aria-hidden="true">
            <span class="share part-0" style={{ width: `${(step.ms / most) * 100}%` }} />
          </span>
          <span class="parts">
            <span class="part">
              <strong>{step.ms}</strong> ms
            </span>
            {step.rows !== undefined && (
              <span class="part">
                <strong>{count(step.rows)}</strong> rows
              </span>
            )}
          </span>
        </div>
      ))}
    </>
  );
}
