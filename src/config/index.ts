export type { Config, ConnectionConfig, Options, Refreshable, SinkConfig, SourceConfig } from './config.ts';
export { type LoadOptions, loadConfig } from './load-config.ts';
export type { LoadConnector } from './load-context.ts';
