export { type AdminClient, type AdminClientSettings, adminClient } from './client.ts';
export { type AdminServer, type AdminSettings, startAdmin } from './server.ts';
