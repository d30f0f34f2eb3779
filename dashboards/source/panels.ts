// What the dashboards are made of: panels by kind, and the frame that they share (time, variables, marks of what happened).
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  type DataSourceRef,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as HeatmapBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { ALERTS, at, byRun, increase } from './queries.ts';

const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '$datasource' };
/** Of the 24 columns and any number of rows that Grafana lays panels out in. */
const SERIES_SIZE = { width: 12, height: 8 };
const STAT_SIZE = { width: 4, height: 4 };

/** Legend of a series, and its PromQL. */
export type Queries = Readonly<Record<string, string>>;

export interface PanelText {
  readonly title: string;
  /** What it shows and how to read it. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit?: string;
  /** Whether the legend names the run; so it is unless the queries have no run. */
  readonly namesRun?: boolean;
  readonly queries: Queries;
}

export interface SeriesOptions extends PanelText {
  readonly min?: number;
  readonly max?: number;
  readonly logarithmic?: boolean;
  readonly stacked?: boolean;
  /** Whether nothing happens as a rule: bars instead of lines. */
  readonly events?: boolean;
}

function targetsOf({ queries, namesRun = true }: PanelText): DataqueryBuilder[] {
  return Object.entries(queries).map(([legend, expression], i) =>
    new DataqueryBuilder()
      .datasource(DATASOURCE)
      .refId(String.fromCharCode('A'.charCodeAt(0) + i))
      .expr(expression)
      .legendFormat(namesRun ? `${legend} · {{run}}` : legend),
  );
}

/** Curves over time. */
export function series(options: SeriesOptions): TimeseriesBuilder {
  const { title, description, unit = 'short', min, max, logarithmic, stacked, events } = options;
  const panel = new TimeseriesBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .targets(targetsOf(options))
    .unit(unit)
    .span(SERIES_SIZE.width)
    .height(SERIES_SIZE.height)
    .lineWidth(1)
    .fillOpacity(stacked || events ? 30 : 0)
    .showPoints(VisibilityMode.Never)
    .drawStyle(events ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (min !== undefined) panel.min(min);
  if (max !== undefined) panel.max(max);
  if (logarithmic) panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  return panel;
}

export interface StatOptions extends PanelText {
  /** From here on it is orange, and red. */
  readonly warn?: number;
  readonly bad?: number;
}

/** A number of now. */
export function stat(options: StatOptions): StatBuilder {
  const { title, description, unit = 'short', warn, bad } = options;
  const steps = [
    { value: null, color: 'green' },
    ...(warn === undefined ? [] : [{ value: warn, color: 'orange' }]),
    ...(bad === undefined ? [] : [{ value: bad, color: 'red' }]),
  ];
  return new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .targets(targetsOf(options))
    .unit(unit)
    .span(STAT_SIZE.width)
    .height(STAT_SIZE.height)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
}

/** How a histogram's values are spread, over time. */
export function heatmap(options: PanelText): HeatmapBuilder {
  const { title, description, unit = 's' } = options;
  const targets = targetsOf({ ...options, namesRun: false }).map((target) => target.format(PromQueryFormat.Heatmap));
  return new HeatmapBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .targets(targets)
    .yAxis({ build: () => ({ unit }) })
    .span(SERIES_SIZE.width)
    .height(SERIES_SIZE.height);
}

/** A mark in every curve where something has happened. */
function mark(name: string, color: string, enabled: boolean, expression: string, title: string) {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(enabled)
    .iconColor(color)
    .expr(expression)
    .titleFormat(title)
    .target(new DataqueryBuilder().datasource(DATASOURCE).refId('Anno').expr(expression) as Builder<Dataquery>);
}

export interface DashboardOptions {
  /** Part of its address in Grafana; links rest on it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Panels by the heading of their row. */
  readonly rows: Readonly<Record<string, readonly Builder<Panel>[]>>;
}

/** A dashboard of one coordinator's runs. */
export function dashboard({ uid, title, description, rows }: DashboardOptions): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['ganglion'])
    .readonly()
    .refresh('5s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('Ganglion')
        .type(DashboardLinkType.Dashboards)
        .tags(['ganglion'])
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('instance')
        .label('Coordinator')
        .datasource(DATASOURCE)
        .query('label_values(ganglion_step, instance)') // of several nodes the one that writes
        .refresh(VariableRefresh.OnTimeRangeChanged),
    )
    .withVariable(
      new QueryVariableBuilder('run')
        .label('Run')
        .datasource(DATASOURCE)
        .query('label_values(ganglion_info{instance="$instance"}, run)')
        .multi(true)
        .includeAll(true)
        .allValue('.*')
        .refresh(VariableRefresh.OnTimeRangeChanged),
    )
    .annotation(mark('Alerts', 'red', true, ALERTS, '{{alertname}}'))
    .annotation(
      mark(
        'Restarts',
        'orange',
        true,
        `(${increase('ganglion_replica_restarts_total')}) > 0`,
        'Replica {{replica}} lost',
      ),
    )
    .annotation(
      mark(
        'Checkpoints',
        'blue',
        false,
        `(${byRun(`changes(${at('ganglion_checkpoint_timestamp_seconds')}[$__rate_interval])`)}) > 0`,
        'Checkpoint',
      ),
    );
  for (const [heading, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(heading));
    for (const panel of panels) builder.withPanel(panel);
  }
  const built = builder.build();
  for (const [i, panel] of (built.panels ?? []).entries()) panel.id = i + 1; // links to a panel rest on it
  return built;
}
