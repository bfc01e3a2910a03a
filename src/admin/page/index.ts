import { createHash } from 'node:crypto';
import { script } from './script.ts';
import { style } from './style.ts';

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What the page may do: run its own script and style and ask its own server, nothing else. */
export const pagePolicy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** An empty table. Roles are said because a phone shows its rows as blocks, which some browsers then take for text. Numbers begin with `#`. */
function table(id: string, caption: string, heads: readonly string[]): string {
  const cell = (head: string): string =>
    head.startsWith('#')
      ? `<th scope="col" role="columnheader" class="number">${head.slice(1)}</th>`
      : `<th scope="col" role="columnheader">${head}</th>`;
  return `<table id="${id}" role="table"><caption class="hidden-text">${caption}</caption><thead role="rowgroup"><tr role="row">${heads.map(cell).join('')}</tr></thead><tbody role="rowgroup"></tbody></table>`;
}

/** A section that is a landmark of its name. */
function section(id: string, title: string, body: string, className = ''): string {
  return `<section id="${id}-section" class="${className}" aria-labelledby="${id}-title">\n<h2 id="${id}-title">${title}</h2>\n${body}\n</section>`;
}

const day = `<p id="day-text" class="quiet"></p><div id="lanes"></div>
<div class="lane" aria-hidden="true"><span class="axis"><span id="axis-from"></span><span id="axis-middle"></span><span id="axis-to"></span></span></div>
<details id="day-numbers"><summary>The numbers</summary>${table('hours', 'Events by hour, newest first', ['Hour', '#Collected', '#Taken by all sinks'])}</details>`;

const sources = `<p id="no-sources" hidden>No source is configured. Add one to the configuration: penstock init writes a first one.</p>
<div id="source-tools" class="tools" hidden><p><label for="filter">Show names, connectors or states with</label><br><input id="filter" type="search" autocomplete="off" spellcheck="false"></p><p id="source-count" role="status"></p></div>
${table('sources', 'Sources, those in trouble first', ['Name', 'State', 'Collected up to', 'Last success', 'Last event', '#New since the start', 'Actions'])}
<p><button id="more" type="button" hidden>Show more sources</button></p>`;

const sinks = `<p id="no-sinks" hidden>No sink is configured: nothing is delivered.</p>
${table('sinks', 'Sinks', ['Name', 'State', 'Lag', '#Pending', 'Last taken', '#Dead letters', 'Actions'])}`;

const ledgerHeads = [
  'Sink',
  '#Acknowledged',
  '#Sent unconfirmed',
  '#Pending',
  '#Dead letters',
  '#Not routed',
  '#Discarded',
  '#Given up',
];

/** The status page: one file without any data; it asks for the token and keeps it for as long as the tab is open. */
export const pageHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Penstock</title>
<style>${style}</style>
</head>
<body>
<header>
<a class="skip" href="#status">Skip to the status</a>
<h1>Penstock</h1>
<p id="headline" tabindex="-1">Status</p>
<p id="message" class="error" role="alert"></p>
<p id="summary"></p>
<noscript><p>This page needs JavaScript. <code>penstock status</code> shows the same in a terminal.</p></noscript>
</header>
<form id="login" hidden>
<p><label for="token">Token, from the file <code>admin.token</code> in the daemon's data_dir. It is kept until this tab is closed.</label></p>
<p><input id="token" type="password" autocomplete="off" spellcheck="false" required> <button>Show status</button></p>
</form>
<main id="status" tabindex="-1" hidden>
<p id="news" class="hidden-text wide" role="status" aria-live="polite"></p>
${section('problems', 'What to do', '<ol id="problems"></ol>', 'bare wide')}
${section('journal', 'Journal', '<div id="journal-bar"></div><p id="journal-text"></p><p id="journal-more" class="quiet"></p><p id="disk-text"></p>')}
${section('day', 'The last day', day)}
${section('sinks', 'Sinks', sinks, 'wide')}
${section('sources', 'Sources', sources, 'wide')}
${section('jobs', 'Jobs', table('jobs', 'Jobs, running ones first', ['Job', 'State', 'Progress', 'Begun']))}
${section('letters', 'Dead letters', `<p class="quiet">The first that each sink has; <code>penstock dead-letters list</code> has all.</p>${table('letters', 'Dead letters by reason', ['Sink', 'Reason', '#Of those looked at', 'Source', 'Last refused'])}`)}
${section('unknown', 'Unknown actions', `<p class="quiet">Delivered as Base Event, which detections by class do not see.</p>${table('unknown', 'Unknown actions', ['Action', 'Source', '#Records'])}`)}
${section('late', 'Late events', table('late', 'Late events by source', ['Source', '#Late', '#On time', 'Latest by', 'What to do']))}
${section('topics', 'Topics', table('topics', 'Topics of streams', ['Topic', 'Source', 'State', 'Backlog']))}
${section('replicas', 'Replicas', table('replicas', 'Replicas', ['Replica', 'Version', '#Sources', 'Since', 'Last seen']))}
${section('ledger', 'Ledger', `<p id="ledger-text"></p><p id="ledger-more" class="quiet"></p>${table('ledger', 'What became of the new events, by sink', ledgerHeads)}`, 'wide')}
</main>
<footer><p><button id="forget" type="button" hidden>Forget the token</button></p></footer>
<p id="said" role="status"></p>
<script>${script}</script>
</body>
</html>
`;
