// Stored records as somebody looks at them: the events that a sink would get, or those of every sink, without sending any.
import { compileActionFilter, normaliseKey } from '../event/action-key.ts';
import type { Format, Mapper } from '../event/event.ts';
import { compileDrop, encodeBody } from '../event/index.ts';
import type { StoredPage } from '../journal/journal.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { readableLine } from '../sinks/stdout/index.ts';
import { compileFilter } from './prepare.ts';

export interface View {
  /** `line` is a short line for people. */
  readonly format: Format | 'line';
  /** With its filter, labels and what it drops; its routing is the reader's affair. */
  readonly sink?: SinkSettings;
  /** Only this action, however it is spelled; also what has none is left out. */
  readonly action?: string;
}

/** Gives the function that makes lines of a page. */
export function openView({ format, sink, action }: View): (page: StoredPage, mapper: Mapper, now: number) => string[] {
  const passes = compileFilter(sink?.filter ?? {});
  const isAction = action === undefined ? () => true : compileActionFilter({ only_actions: [normaliseKey(action)] });
  const drop = compileDrop(sink?.drop ?? []);
  const form = { includeRaw: sink?.includeRaw ?? false, drop };
  return (page, mapper, now) => {
    const labels = [...page.labels, ...(sink?.labels ?? [])];
    const context = { source: page.source, tenant: page.tenant, labels, processedTime: now };
    return page.records.flatMap((record) => {
      const mapped = mapper.map(record, context);
      const { actionKey, event, action: row } = mapped;
      if (!passes(mapped) || (action !== undefined && actionKey === undefined) || !isAction(actionKey)) return [];
      return [
        format === 'line'
          ? readableLine({ event, source: page.source, action: row, actionKey })
          : encodeBody(format, mapped, form),
      ];
    });
  };
}
