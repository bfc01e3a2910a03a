// Events that are delivered, and not as they should be.
import { counted } from '../../base/quantity.ts';
import type { SourceStatus } from '../../collect/source.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';
import { invalidEvents } from './invalid-events.ts';
import type { Problem } from './journal-status.ts';

/** Every one of them as a line of a status. */
export function eventProblems({ sources, sinks }: { sources: readonly SourceStatus[]; sinks: readonly SinkStatus[] }): Problem[] {
  return [...sources.flatMap(unknownProblems), ...sinks.flatMap(unmappedProblems), ...invalidProblems(sinks)];
}

const mostNamed = 3;

/** Until the table has a row for each. */
function unknownProblems({
  name,
  connector,
  unknown_actions: { actions } = { records: 0, actions: [] },
}: SourceStatus): Problem[] {
  if (actions.length === 0) return [];
  const named = actions.slice(0, mostNamed).map(({ action, count }) => `"${action}" (${count})`);
  const more = actions.length > mostNamed ? ' and others' : '';
  const what = `no row of ${connector} knows ${named.join(', ')}${more}: such events are delivered as Base Event, which detections by class do not see`;
  return [
    { level: 'warning', where: `source ${name}`, what, fix: `penstock actions ${connector} --unknown prints rows to paste` },
  ];
}

/** Since the start of the daemon. */
function unmappedProblems({ name, map_failed: count }: SinkStatus): Problem[] {
  if (count === 0) return [];
  const events = counted(count, 'record');
  const what = `${events} could not be mapped and went out as Base Event with the whole text, labelled map_failed`;
  return [
    { level: 'warning', where: `sink ${name}`, what, fix: 'report it with one of these events; once mended, replay the time' },
  ];
}

const mostShown = 20;

/** A line for every action whose events are not valid. */
function invalidProblems(sinks: readonly SinkStatus[]): Problem[] {
  const all = invalidEvents(sinks);
  const shown = all.slice(0, mostShown).map(({ source, action, count, fault }): Problem => {
    const events = counted(count, 'event');
    const what = `${events} of action "${action}" ${count === 1 ? 'is' : 'are'} not valid OCSF: ${fault}`;
    return { level: 'warning', where: `source ${source}`, what, fix: 'correct the row of the action, or set validate: off' };
  });
  const others = all.length - shown.length;
  return others === 0
    ? shown
    : [
        ...shown,
        {
          level: 'warning',
          where: 'events',
          what: `${counted(others, 'more action has', 'more actions have')} events that are not valid OCSF`,
        },
      ];
}
