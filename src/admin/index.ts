export { findDaemon } from './client.ts';
export { type AdminOperations, startAdmin } from './server.ts';
