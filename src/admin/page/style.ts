/** The style of the status page: one column on a phone, a wall at 1,400 px; colours keep 4.5 : 1 in light and dark. */
export const style = String.raw`
:root { color-scheme: light dark; --back: #f4f6f8; --card: #fff; --text: #1b1f24; --quiet: #4d5661; --line: #d3d9e0; --ok: #12622b; --warn: #7a4a00; --bad: #a40e1c; --bad-back: #fdecec; --warn-back: #fff5dc; --bar: #2b62b8; --focus: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1317; --card: #191f26; --text: #e7ebf0; --quiet: #a9b4c0; --line: #38424d; --ok: #74d68c; --warn: #f1bd56; --bad: #ff9b93; --bad-back: #3a1519; --warn-back: #35280b; --bar: #7fb0ff; --focus: #9cc2ff; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; padding: 0 1rem 4rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main, form, footer { max-width: 110rem; margin: 0 auto; }
header { padding-top: 1rem; }
h1 { margin: 0; font-size: 1rem; font-weight: 600; color: var(--quiet); }
h2 { margin: 0 0 .5rem; font-size: 1.15rem; }
p { margin: .35rem 0; }
#headline { margin: 0; font-size: clamp(1.6rem, 4vw, 2.8rem); font-weight: 700; line-height: 1.2; }
#summary, .quiet, small { color: var(--quiet); }
small { display: block; font-size: .85rem; }
.ok { color: var(--ok); } .warning { color: var(--warn); } .error { color: var(--bad); }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; display: inline-block; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
a { color: var(--focus); }
button, input { font: inherit; color: inherit; min-height: 2.75rem; padding: .35rem .8rem; border: 1px solid var(--quiet); border-radius: .4rem; background: var(--card); }
button { cursor: pointer; font-weight: 600; } button:hover { border-color: var(--focus); } button[aria-disabled="true"] { opacity: .6; cursor: progress; }
input { width: 100%; max-width: 30rem; }
main > section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin-top: 1rem; min-width: 0; }
main > section.bare { background: none; border: 0; padding: 0; }
.stale { opacity: .55; }
#said { position: fixed; left: 0; right: 0; bottom: 0; margin: 0; padding: .8rem 1rem; background: var(--text); color: var(--back); font-weight: 600; }
#said:empty { display: none; }
#message { font-size: 1.25rem; font-weight: 700; }
#message:empty { display: none; }

#problems { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; }
#problems > li { border-left: .6rem solid var(--warn); background: var(--warn-back); border-radius: .4rem; padding: .8rem 1rem; }
#problems > li { color: var(--text); }
#problems > li.error { border-color: var(--bad); background: var(--bad-back); }
#problems .where { font-weight: 700; margin: 0; }
#problems .where b { display: inline-block; margin-right: .5rem; text-transform: uppercase; font-size: .85rem; letter-spacing: .04em; color: var(--warn); }
#problems .error .where b { color: var(--bad); }
#problems .fix { font-size: 1.45rem; font-weight: 700; line-height: 1.3; margin: .2rem 0; }
#problems .fix:empty { display: none; }
#problems .what { margin: .2rem 0; } #problems .alone { font-size: 1.25rem; font-weight: 600; }
#problems .buttons:empty { display: none; }

table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--quiet); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
tbody th, td { min-width: 6rem; }
thead th, .number, .state > span { overflow-wrap: normal; }
thead th { color: var(--quiet); font-weight: 600; font-size: .9rem; }
tbody th { font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.state span { font-weight: 700; }
td button { min-height: 2.2rem; padding: .1rem .6rem; margin: 0 .4rem .3rem 0; }
.bar { height: .5rem; margin-top: .25rem; background: var(--line); border-radius: .25rem; overflow: hidden; }
.bar > i { display: block; height: 100%; background: var(--bar); }
.bar.warning > i { background: var(--warn); } .bar.error > i { background: var(--bad); }
#journal-bar { height: 1.6rem; border-radius: .4rem; } #journal-text { font-size: 1.2rem; font-weight: 600; }
.lane { display: grid; grid-template-columns: minmax(7rem, 11rem) 1fr; gap: .2rem 1rem; align-items: end; margin-top: .6rem; }
.lane svg { display: block; width: 100%; height: 3.2rem; border-bottom: 1px solid var(--quiet); }
.lane rect { fill: var(--bar); } .lane .axis { grid-column: 2; display: flex; justify-content: space-between; font-size: .8rem; color: var(--quiet); }
summary { cursor: pointer; padding: .4rem 0; font-weight: 600; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin-bottom: .5rem; } .tools > p { flex: 1 1 16rem; min-width: 0; }

@media (min-width: 1200px) {
  body { font-size: 1.05rem; padding: 0 2rem 4rem; }
  main { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem; align-items: start; }
  main > .wide { grid-column: 1 / -1; }
  #problems { grid-template-columns: repeat(auto-fit, minmax(36rem, 1fr)); }
}
@media (max-width: 900px) {
  table, tbody, tr, th, td { display: block; width: 100%; }
  thead, caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  th, td, .number { border: 0; padding: .1rem 0; text-align: left; }
  tbody th { font-size: 1.1rem; }
  td { display: grid; grid-template-columns: 8rem 1fr; gap: 0 .75rem; }
  td::before { content: attr(data-label); color: var(--quiet); grid-row: 1 / span 4; }
  td > * { grid-column: 2; }
  td:empty, td.none { display: none; }
  .lane { grid-template-columns: 1fr; } .lane .axis { grid-column: 1; }
  .lane + .lane { margin-top: 1rem; }
}
`;
