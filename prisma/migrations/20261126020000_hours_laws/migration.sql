-- Texting hours by law, by org and by campaign.
alter table zone_set add column places text[] not null default '{}';
comment on column zone_set.places is 'Places whose laws may bind texts to the person: US- and a state, US-* for any, or a country.';
-- Whoever was imported before: any state of the country may be theirs, until they are imported again.
update zone_set z set places = '{US-*}'
 where exists (select from contact k where k.zone_set_id = z.id and k.country in ('US', 'PR', 'VI', 'GU', 'AS', 'MP'));
alter table zone_set drop constraint zone_set_zones_key;
alter table zone_set add unique (zones, places);

alter table org
  add column hours_laws text not null default 'all' check (hours_laws in ('all', 'federal', 'none')),
  add column hours_start_minute int check (hours_start_minute between 0 and 1439),
  add column hours_end_minute int check (hours_end_minute between 1 and 1440),
  add column hours_days int[],
  add column hours_blackout date[] not null default '{}',
  add column hours_version int not null default 0,
  add check ((hours_start_minute is null) = (hours_end_minute is null) and (hours_start_minute is null) = (hours_days is null));
comment on column org.hours_laws is 'Which laws about telemarketing hours bind the org''s texts: every place''s, the federal ones, or none, where its texts sell nothing.';
comment on column org.hours_start_minute is 'The org''s own hours, in which every campaign''s must lie, in minutes after local midnight; null: none.';
comment on column org.hours_blackout is 'Local dates on which the org texts nobody.';
comment on column org.hours_version is 'Raised with every change of the hours: windows worked out from older ones are not written.';
grant update (hours_laws, hours_start_minute, hours_end_minute, hours_days, hours_blackout, hours_version) on org to gw_api;

alter table campaign add column starts_at_local text check (starts_at_local ~ '^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$');
comment on column campaign.starts_at_local is 'Nobody is texted before this time by the clock where they are; null: from the start on.';
