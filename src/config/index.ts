export type { Config } from './config.ts';
export { configJsonSchema } from './editor-schema.ts';
export { loadConfig, readConnectorsDir, readDatabase, readDataDir } from './load-config.ts';
export { sinkChoiceFor, sinkChoiceLike, sinkChoices } from './sink-words.ts';
export { placeholdersIn, renderStarter } from './starter.ts';
