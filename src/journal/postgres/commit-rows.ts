// SQL of what a commit makes of rows that are there already, the same for one commit and for many.

import { sourceCounters } from '../counts.ts';
import { touchEveryMs } from '../records/rows.ts';

/** Of `windows AS w`. */
export const onWindow = `ON CONFLICT (source, key, kind) DO UPDATE SET from_time = excluded.from_time, to_time = excluded.to_time, ${sourceCounters
  .map((name) => `${name} = w.${name} + excluded.${name}`)
  .join(', ')},
    complete = greatest(w.complete, excluded.complete), updated = excluded.updated, stamp = excluded.stamp`;

export const onCheckpoint = 'ON CONFLICT (source, name) DO UPDATE SET value = excluded.value, crc = excluded.crc';

export const onNote = 'ON CONFLICT (source, name) DO UPDATE SET value = excluded.value';

/** Of `seen_days AS d`. */
export const onDay = `ON CONFLICT (source, day) DO UPDATE SET touched = excluded.touched WHERE d.touched < excluded.touched - ${touchEveryMs} OR d.touched > excluded.touched`;
