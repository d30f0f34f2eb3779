// dashboards/prometheus/rules.yml, and the same rules for a world in which everything takes less time.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DASHBOARDS } from './dashboard-queries.ts';

export const RULES = join(DASHBOARDS, 'prometheus', 'rules.yml');

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RulesFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

export function rulesFile(): RulesFile {
  return parse(readFileSync(RULES, 'utf8'));
}

export function rules(): readonly Rule[] {
  return rulesFile().groups.flatMap((group) => group.rules);
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** `5m` by a factor, and no shorter than some seconds. */
function shorten(duration: string, factor: number, leastSeconds: number): string {
  const seconds = [...duration.matchAll(/(\d+)([smh])/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN),
    0,
  );
  return `${Math.max(leastSeconds, Math.ceil(seconds * factor))}s`;
}

/**
 * The rules with every range and every `for` shortened, so that a test need not wait for minutes. Thresholds stay. A range holds five
 * scrapes at least, at one a second.
 */
export function shortenedRules(factor: number): RulesFile {
  return {
    groups: rulesFile().groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({
        ...rule,
        expr: rule.expr.replace(/\[([^\]]+)\]/g, (_, range: string) => `[${shorten(range, factor, 5)}]`),
        ...(rule.for === undefined ? {} : { for: shorten(rule.for, factor, 1) }),
      })),
    })),
  };
}
