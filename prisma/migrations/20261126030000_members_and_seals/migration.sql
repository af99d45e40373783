-- Keys belong to people, and the audit log is sealed.
alter table api_key add column member_id uuid references member;
comment on column api_key.member_id is 'Whose key it is: suspended with its member. Null: a key of the org itself.';
create index member_page on member (org_id, created_at desc, id desc);

create table audit_seal (
  org_id uuid not null references org,
  n int not null,
  from_id uuid not null,
  to_id uuid not null,
  rows int not null,
  previous_sha256 text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  sealed_at timestamptz(3) not null default now(),
  primary key (org_id, n)
);
comment on table audit_seal is 'A chain of hashes over the audit log: whoever changes, adds or takes away a sealed row breaks it.';
comment on column audit_seal.sha256 is 'SHA-256 over the hash before and, in the order of ids, the SHA-256 of each row from from_id to to_id.';
alter table audit_seal enable row level security;
alter table audit_seal force row level security;
create policy engine on audit_seal to gw_engine using (true) with check (true);
create policy tenant on audit_seal for select to gw_api using (org_id = current_org());
grant select, insert on audit_seal to gw_engine;
grant select on audit_seal to gw_api;
