import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { SinkConfig } from '../../src/config/config.ts';
import { type OpenContext, openSink } from '../../src/runtime/open-runtime.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { loudLog } from '../loud-log.ts';

it('warns once of how a sink is configured, however often a hold opens it anew, and once more when that has changed', async () => {
  const { log, said } = loudLog();
  const options = {
    address: 'udp://127.0.0.1:514',
    rfc: 5424,
    facility: 13,
    app_name: 'penstock',
    enterprise_number: 32473,
    oversize: 'refuse',
    resend_window: 10,
    rate: 500,
  };
  const context = { seams: systemSeams(), log, secrets: createSecrets(), env: {} } as unknown as OpenContext;
  const sink = {
    name: 'soc',
    sinkType: syslog,
    resolve: () => Promise.resolve({ key: '', options, http: {} }),
  } as unknown as SinkConfig;

  for (const config of [sink, sink, sink, { ...sink }]) await (await openSink(config, context))[Symbol.asyncDispose]();

  expect(said.filter((line) => line.includes('example enterprise number'))).toHaveLength(2);
});
