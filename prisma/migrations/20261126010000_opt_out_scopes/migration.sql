-- How far an opt-out reaches, and what shows that it was asked for.
alter table org
  add column opt_out_scope text not null default 'org' check (opt_out_scope in ('org', 'programme'));
comment on column org.opt_out_scope is 'How far a stop reaches: all of the org, or the programme of the campaign that it answers. "Stop all" always reaches all of the org.';
alter table suppression add column evidence text;
comment on column suppression.evidence is 'What shows that it was asked for, in words: a call, a letter, a list of a regulator. A text stands in evidence_message_id.';
grant update (opt_out_scope) on org to gw_api;
