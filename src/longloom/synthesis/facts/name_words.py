"""Capitalised English words that are titles, and those that name nobody and no place."""

_TITLES = """
    Mr. Mrs. Dr. St. Messrs. Mme. Mlle. Miss Misses Lady Sir Lord Captain Colonel Major General
    Admiral Lieutenant Sergeant Inspector Superintendent Constable Detective Professor Doctor
    Father Mother Brother Sister Aunt Uncle Cousin King Queen Prince Princess Duke Duchess Earl
    Count Countess Baron Squire Reverend Don Monsieur Madame Mademoiselle Mistress Judge Bishop
    Friar President Coroner Majesty Mate Nurse Papa Mamma
"""
TITLES = frozenset(_TITLES.split())
"""Words that stand before a name and are none by themselves."""

_NO_NAMES = """
    A An The This That These Those There Here He She It We You They His Her Its My Your Our Their
    Him Them Me Us Who Whom Whose What Which When Where Why How If Though Although Because Since
    While Until Unless As At By For From In Into Of Off On Onto Out Over To Under Up Upon With
    Within Without Through Before After Above Below Between Among Against About Across Along
    Around Behind Beside Beyond Down During Near Till Toward Towards And But Or Nor So Yet Then
    Than Thus Therefore Hence Now Not No Nay Yes Yea Aye Ay Oh Ah Eh Hah Ha Halloa Hallo Hulloa Ho
    Hullo
    Alas Well Why Is Are Was Were Be Been Being Am Do Does Did Has Have Had Can Could Shall Should
    Will Would May Might Must Let All Any Each Every Both Few Many Much More Most Some Such Same
    One Two Three Four Five Six Seven Eight Nine Ten Only Even Ever Never Always Also Again Once
    Perhaps Indeed Meanwhile Moreover However Nevertheless Still Too Very Quite Just Almost Soon
    Come Go Look See Take Give Tell Say Said Hear Stand Good Great Old Poor Dear Young Little
    First Second Third Last Next Another Other Others Nothing Nobody Everybody Everyone Something
    Somebody Anything Whatever Whoever Whenever Wherever Whether Either Neither Like Sunday Monday
    Tuesday Wednesday Thursday Friday Saturday January February March April June July August
    September October November December Christmas Easter Michaelmas God Gods Lord Heaven Heavens
    Providence Devil Christian Christians English Englishman French Frenchman German Germans
    American Americans Dutch Spanish Italian Irish Scotch Scottish Latin Greek Indian Indians
    Roman Romans Turkish Russian Russians European Bible Book Chapter Church Nature Death Time
    Mr Mrs Dr St Messrs Ma Madam Ladies Gentlemen Gentleman Thou Thee Thy Thine Ye Hast Hath Doth
    Art
"""
NO_NAMES = frozenset(_NO_NAMES.split())
"""Words that are capitalised for other reasons than being a name."""
