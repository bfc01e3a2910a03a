import type { HttpOptions } from '../options.ts';
import type { Preset } from '../preset.ts';
import { elasticsearch, opensearch } from './bulk.ts';
import { datadog } from './datadog.ts';
import { googleSecops } from './google-secops.ts';
import { otlp } from './otlp.ts';
import { plain } from './plain.ts';
import { sentinel } from './sentinel.ts';

const presets: Readonly<Record<NonNullable<HttpOptions['preset']>, Preset>> = {
  elasticsearch,
  opensearch,
  datadog,
  sentinel,
  google_secops: googleSecops,
  otlp,
};

/** The data that a configuration stands for: its preset's, or that of its plain `body`. */
export function presetOf({ preset, body }: HttpOptions, isJson: boolean): Preset {
  return preset === undefined ? plain(body, isJson) : presets[preset];
}
