// Source: the three-digit ZIP prefixes of the United States Postal Service and the zones that their states and
// counties lie in (49 CFR part 71); the districts of Canada Post. Only prefixes that lie in one zone are listed.

/** Lists the three-digit ZIP prefixes that lie wholly in each zone, as numbers and ranges. */
export const ZIP_PREFIX_ZONES: Readonly<Record<string, string>> = {
  'America/New_York': `
    005 010-089 100-322 326-339 341-342 344 346-347 349 374 376 378-379 398-399 400 402-418 430-462 466-468
    470 472-474 480-497`,
  'America/Chicago': `
    350-367 369-372 380-397 464 477 500-528 530-532 534-535 537-551 553-567 570-574 580-584 600-620 622-631
    633-641 644-658 660-662 664-676 680-681 683-689 700-701 703-708 710-714 716-731 734-741 743-796`,
  'America/Denver': '590-599 693 799 800-816 820-834 836-837 840-847 870-875 877-885',
  'America/Phoenix': '850-853 855-857 863-864',
  'America/Los_Angeles': '838 889-891 894-895 897 900-908 910-928 930-961 970-978 980-986 988-994',
  'America/Anchorage': '996-998',
  'Pacific/Honolulu': '967-968',
  'America/Puerto_Rico': '006-009',
  'Pacific/Guam': '969',
};

/** Lists the first one or two characters of Canadian postcodes that lie wholly in each zone. */
export const CANADIAN_POSTCODE_ZONES: Readonly<Record<string, string>> = {
  'America/Halifax': 'B C E',
  'America/Toronto': 'H J K L M N',
  'America/Winnipeg': 'R',
  'America/Edmonton': 'T',
  'America/Vancouver': 'V5 V6 V7 V8 V9',
  'America/Whitehorse': 'Y',
};
