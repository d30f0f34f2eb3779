// What a PromQL expression names, by Prometheus' own grammar.
import { parser } from '@prometheus-io/lezer-promql';

export interface Selector {
  readonly metric: string;
  /** Label and value of every matcher, the value as it stands between the quotes. */
  readonly matchers: readonly (readonly [label: string, value: string])[];
  /** The function that takes a range of it, such as `rate`. */
  readonly rangeFunction: string | undefined;
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
  readonly grouping: readonly string[];
}

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** An expression of a dashboard with values for Grafana's variables. */
export function fillVariables(expression: string, values: Readonly<Record<string, string>>): string {
  return expression.replace(/\$(\w+)/g, (all, name: string) => values[name] ?? all);
}

/** @throws Error that says where it is no PromQL */
export function parsePromql(expression: string): Expression {
  const textOf = ({ from, to }: { from: number; to: number }): string => expression.slice(from, to);
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  parser.parse(expression).iterate({
    enter({ type, node }) {
      if (type.isError) throw new Error(`no PromQL at ${node.from}: ${expression}`);
      if (type.name === 'GroupingLabels') grouping.push(...node.getChildren('LabelName').map(textOf));
      if (type.name !== 'VectorSelector') return;
      const metric = node.getChild('Identifier');
      if (!metric) throw new Error(`a selector without a metric: ${expression}`);
      const matchers = (node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []).map((matcher) => {
        const [label, value] = [matcher.getChild('LabelName'), matcher.getChild('StringLiteral')];
        return [label ? textOf(label) : '', value ? textOf(value).slice(1, -1) : ''] as const;
      });
      selectors.push({ metric: textOf(metric), matchers, rangeFunction: rangeFunctionOf(node) });
    },
  });
  return { selectors, grouping };

  function rangeFunctionOf({ parent }: SyntaxNode): string | undefined {
    if (parent?.name !== 'MatrixSelector') return undefined;
    const name = parent.parent?.parent?.getChild('FunctionIdentifier');
    return name ? textOf(name) : undefined;
  }
}
