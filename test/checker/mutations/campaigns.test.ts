import { runCampaigns } from './campaigns-run.ts';
import { CAMPAIGN_MUTATIONS } from './mutations.ts';
import { testMutations } from './mutation-tests.ts';

testMutations({
  control: 'the unbroken stack keeps every promise',
  mutations: CAMPAIGN_MUTATIONS,
  run: runCampaigns,
});
