-- A list of a million people: no lock on a parent for each row, and counts that need not be counted.

-- Each of these cost a look-up and a row lock of the parent for every row of a file, two thirds of what a row costs.
-- Their parents are never deleted, and every row is made from ids that the same statement read; the checker looks for orphans.
alter table contact drop constraint contact_org_id_fkey, drop constraint contact_zone_set_id_fkey;
alter table contact_list_member
  drop constraint contact_list_member_list_id_fkey,
  drop constraint contact_list_member_contact_id_fkey,
  drop constraint contact_list_member_import_id_fkey;
alter table import_reject drop constraint import_reject_import_id_fkey;
alter table campaign_contact drop constraint campaign_contact_campaign_id_fkey, drop constraint campaign_contact_contact_id_fkey;

alter table import
  add column accepted_rows int not null default 0,
  add column rejects_by_reason jsonb not null default '{}';
comment on column import.accepted_rows is 'Rows so far that put somebody on the list; moved with the cursor.';
comment on column import.rejects_by_reason is 'Rows so far that did not, by reason; moved with the cursor.';
update import i set
  accepted_rows = (select count(*) from contact_list_member m where m.import_id = i.id),
  rejects_by_reason = coalesce((select jsonb_object_agg(t.reason, t.n) from (
    select reason, count(*) as n from import_reject x where x.import_id = i.id group by 1) t), '{}');
