"""What instructions about an answer's form look like, as patterns over one sentence.

They are collected from the prompts of long-context benchmarks (LongBench, QwenLong-L1, DocMath,
CorpusQA, MRCR, MMLU-Pro, GPQA, LongMemEval) and from how people write. A sentence that
names a source ("based on the passages") or something to be told ("include the year") is no
instruction about form. Every repetition is bounded, so no sentence takes long.
"""

import re

_ANSWER = r"(?:answers?|responses?|repl(?:y|ies)|outputs?|results?|solutions?)"
_YOURS = rf"(?:your|the|an?|each|this)\s+(?:[a-z]+\s+){{0,2}}?{_ANSWER}"
_UNITS = r"(?:words?|sentences?|characters?|letters?|paragraphs?|lines?|bullet\s+points?|tokens)"
_NUMBER = r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d[\d,]{0,6})"
_BOUND = (
    r"(?:at\s+most|no\s+more\s+than|not\s+more\s+than|fewer\s+than|less\s+than|under|up\s+to"
    r"|exactly|about|around|within|between|a\s+maximum\s+of|a\s+max\s+of)"
)
_MARKUP = r"(?:json|yaml|xml|csv|markdown|html|latex|tsv)"
_SOURCE = (
    r"(?:the|this|these|that)\s+(?:\w+\s+)?"
    r"(?:text|documents?|passages?|articles?|context|sections?|report|filing|book|story|contract)"
)
_QUOTE = r"[\"'`\u201c\u2018(<]"
_TELL = r"(?:answer|say|write|respond|reply|return|output|state|print)"

LEAD_IN = re.compile(
    r"""(?:[-*\u2022\u00b7>(\[#_]\s*|instructions?:\s*|\d{1,2}[.)]\s+|note:\s*|important:\s*|nb:\s*|hint:\s*
    |(?:please|kindly|finally|also|then|and|but|now|next|lastly|additionally|again)\b,?\s*
    |(?:be\s+sure|make\s+sure|remember|try|ensure)\s+(?:to|that|you)\b\s*
    |you\s+(?:must|should|need\s+to|have\s+to|are\s+to|will|can|may|shall)\b\s*
    |i\s+(?:want|need|would\s+like)\s+you\s+to\b\s*
    |when\s+(?:answering|responding|you\s+answer)[^,.]{0,60},\s*
    |after\s+(?:that|thinking|reasoning)[^,.]{0,40},?\s*
    |for\s+(?:this|each|every|your)\s+(?:question|answer)s?,?\s*|bitte\b,?\s*|\u8bf7)""",
    re.IGNORECASE | re.VERBOSE,
)
"""What may stand before an instruction; it is passed over, several times if need be."""

_ENGLISH = (
    rf"(?:format|phrase|structure|style)\s+(?:{_YOURS}|{_ANSWER})",
    rf"(?:answer|respond|reply)\s+(?:(?:to\s+)?(?:the|this|these|my|all|each|every)\s+"
    rf"(?:\w+\s+)?questions?\s+)?(?:(?:based|given)\s+[^,.;:]{{1,80}}?[,\s]\s*)?(?:only|just"
    rf"|strictly|directly|briefly|concisely|simply|exclusively|in(?!\s+{_SOURCE})|with|using|by"
    rf"|as(?!\s+of\b)|yes\b|no\b|true\b|{_QUOTE})",
    rf"(?:{_TELL}|give|provide)\s+(?:me\s+)?(?:only|just|nothing)\b",
    r"(?:only|just)\s+(?:output|return|answer|respond|reply|give|provide|write|print|state|say)\b",
    rf"(?:put|place|wrap|enclose|surround|box|round|limit|keep|restrict|end|finish|conclude|begin"
    rf"|start|prefix|prepend|append|precede|follow|make)\b[^.?!]{{0,100}}?\b{_YOURS}\b",
    rf"(?:give|provide|return|output|write|print|produce|state|present|express|report|submit|show"
    rf"|supply)\b[^.?!]{{0,40}}?\b(?:{_YOURS}|{_ANSWER})\b[^?!]{{0,120}}?\b(?:in|as|with|using"
    rf"|without|inside|within|between|only|rounded|format|to\s+the\s+nearest|on\s+an?"
    rf"|followed|enclosed|at\s+the\s+end|and\s+nothing)\b",
    rf"(?:give|provide|write)\s+(?:me\s+)?an?\s+(?:[a-z]+,?\s+)?(?:brief|short|concise|one-\w+"
    rf"|single-\w+|direct)\s+{_ANSWER}",
    rf"(?:return|output|write|print|produce|generate|emit|give|provide|use)\s+(?:me\s+)?(?:only\s+"
    rf"|just\s+|exactly\s+)?(?:an?\s+|one\s+|the\s+)?(?:valid\s+|single\s+)?{_MARKUP}\b",
    rf"(?:your|the)\s+(?:[a-z]+\s+)?{_ANSWER}\s+(?:should|must|shall|needs?\s+to|has\s+to|have\s+to"
    r"|is\s+to|can\s+only|may\s+only|will)\b(?!\s+(?:also\s+)?(?:include|mention|cover|discuss"
    r"|explain|address|describe|consider|take|account|compare|list|identify)\b)",
    rf"the\s+(?:first|last|final)\s+(?:line|word|sentence|part)\s+of\s+(?:your|the)\s+{_ANSWER}",
    rf"the\s+(?:{_ANSWER}\s+)?format\s+(?:is|should|must|of\s+(?:your|the)\s+{_ANSWER})",
    r"(?:use|follow|adhere\s+to|stick\s+to|conform\s+to|match)\s+(?:only\s+)?(?:the|this|an?)\s+"
    r"(?:\w+\s+){0,3}?(?:format|template|schema|structure|style|syntax)\b",
    rf"(?:use|write|limit\s+(?:yourself|it)\s+to)\s+(?:only\s+)?{_BOUND}\s+[^.?!]{{1,30}}?{_UNITS}",
    rf"(?:use|write|limit\s+(?:yourself|it)\s+to)\s+(?:only\s+)?{_NUMBER}\s+{_UNITS}",
    r"(?:use|write\s+in)\s+(?:bullet\s+points?|bullets|markdown|plain\s+text|full\s+sentences)\b",
    r"(?:do\s+not|don[\u2019']t|never)\s+(?:\w+\s+){0,2}?(?:explain|elaborate|justify)\b",
    r"(?:do\s+not|don[\u2019']t|never|avoid)\s+[^.?!]{0,40}?\b(?:any\s+other|other\s+(?:text|words)"
    r"|anything\s+else|explanations?|reasoning|commentary|preamble|markdown|extra\s+text"
    rf"|additional\s+text|quotes|quotation|units?|punctuation|your\s+{_ANSWER}|\\?boxed)\b",
    r"(?:no|without|with\s+no)\s+(?:\w+\s+)?(?:explanations?|other\s+(?:text|words)|preamble"
    r"|commentary|markdown|prose|reasoning)\b",
    rf"if\s[^?!]{{0,300}}?\b{_TELL}\s+(?:with\b|that\b|only\b|just\b|yes\b|no\b|none\b|null\b"
    rf"|unanswerable\b|unknown\b|not\b|n/a|:|{_QUOTE})",
    r"(?:let[\u2019']?s\s+)?(?:think|reason|work)\b[^.?!]{0,40}?step[\s-]by[\s-]step",
    rf"(?:show|explain)\s+your\s+(?:work|working|reasoning|thinking|steps|choice|{_ANSWER})",
    r"(?:answer|respond|reply|write)\s+(?:it\s+)?in\s+(?:english|german|french|spanish|italian"
    r"|portuguese|chinese|japanese|korean|russian|arabic|dutch|polish|turkish|hindi)\b",
    r"be\s+(?:very\s+|as\s+)?(?:brief|concise|succinct|terse|short)\b",
    r"keep\s+it\s+(?:short|brief|concise|simple|under|below|to)\b",
    r"(?:choose|select|pick|indicate|mark)\b[^.?!]{0,60}?\bletters?\b",
    r"round(?:ed)?\s+(?:\w+\s+){0,4}?to\b",
    rf"(?:only\s+|just\s+)?(?:{_BOUND}\s+)?{_NUMBER}\s+{_UNITS}(?:\s+(?:only|max(?:imum)?|at\s+most"
    r"|or\s+(?:less|fewer)))?[.!)\s]*$",
    r"(?:just\s+)?(?:yes\s+or\s+no|true\s+or\s+false)(?:\s+only)?[.?!)\s]*$",
    r"nothing\s+else\b",
    r"(?:final\s+|short\s+|your\s+)?answer(?:\s*\([^()]{0,40}\))?\s*[:\uff1a]\s*$",
)
_GERMAN = (
    r"(?:antworte|antworten\s+sie|beantworten?\s+(?:sie\s+)?(?:die|diese|meine)\s+fragen?)\s+"
    r"(?:mir\s+|uns\s+|bitte\s+)?(?:nur|mit|in|im|auf|als|kurz|knapp|stichw\w+"
    r"|ausschlie\u00dflich|direkt|ohne)\b",
    r"(?:gib|geben\s+sie|nenne|nennen\s+sie|schreibe?|schreiben\s+sie)\b[^.?!]{0,40}?"
    r"\b(?:antwort|ergebnis|ausgabe)\b",
    r"(?:deine|ihre|die|eure)\s+antwort\s+(?:soll|sollte|muss|darf|hat\s+zu|besteht)\b",
    r"formatieren?\b[^.?!]{0,40}?\bantwort",
    r"(?:verwenden?|nutzen?|benutzen?)\s+(?:sie\s+)?(?:nur\s+)?(?:das|dieses|folgendes"
    r"|h\u00f6chstens|maximal|stichpunkte)\b",
    r"(?:halten?|fassen?|fass)\s+(?:sie\s+)?(?:dich|sich)\s+kurz",
    r"(?:keine|ohne)\s+(?:weitere[n]?\s+)?(?:erkl\u00e4rung|erl\u00e4uterung|begr\u00fcndung)",
    r"antwort\s*:\s*$",
)
_CHINESE = (
    r"(?:\u8bf7|\u53ea|\u4ec5|\u76f4\u63a5|\u7528|\u4ee5|\u6309|\u6309\u7167|\u4f7f\u7528){1,3}"
    r"[^\u3002\uff1f?]{0,30}?(?:\u56de\u7b54(?!\u4ee5\u4e0b|\u4e0b\u5217|\u4e0b\u9762|\u95ee\u9898)"
    r"|\u4f5c\u7b54|\u8f93\u51fa|\u8fd4\u56de|\u7ed9\u51fa\u7b54\u6848|\u544a\u8bc9\u6211\u7b54\u6848)",
    r"(?:\u4f60\u7684)?(?:\u6700\u7ec8)?(?:\u7b54\u6848|\u56de\u7b54|\u8f93\u51fa)"
    r"(?:\u5e94|\u5fc5\u987b|\u8bf7|\u9700|\u8981|\u4e0d\u8d85\u8fc7|\u4e0d\u8981|\u683c\u5f0f)",
    r"(?:\u4e0d\u8981|\u4e0d\u9700\u8981|\u65e0\u9700|\u8bf7\u52ff)[^\u3002]{0,20}?"
    r"(?:\u89e3\u91ca|\u8f93\u51fa|\u8bf4\u660e)",
    r"\u5b57\u6570(?:\u4e0d\u8d85\u8fc7|\u9650\u5236|\u63a7\u5236)",
    r"(?:\u7b54\u6848|\u56de\u7b54)[:\uff1a]\s*$",
)
INSTRUCTION = re.compile(
    "|".join(f"(?:{rule})" for rule in (*_ENGLISH, *_GERMAN, *_CHINESE)), re.IGNORECASE
)
"""Matches at the start of a sentence that says how the answer shall look."""

LEADING_CLAUSE = re.compile(
    rf"(?:in|using|with)\s+(?:{_BOUND}\s+)?{_NUMBER}\s+(?:short\s+|single\s+)?{_UNITS}"
    rf"(?:\s+or\s+(?:less|fewer))?\s*,\s*|(?:in|as)\s+(?:valid\s+)?{_MARKUP}(?:\s+format)?\s*,\s*",
    re.IGNORECASE,
)
"""A form before the comma of a sentence: "In one sentence, who ..."."""
TRAILING_CLAUSE = re.compile(
    rf"(?:,\s*|\s)(?:in|using|with)\s+(?:{_BOUND}\s+)?{_NUMBER}\s+(?:short\s+)?{_UNITS}"
    r"(?:\s+or\s+(?:less|fewer))?\s*[.!]*\s*$",
    re.IGNORECASE,
)
"""A form at the end of a sentence that is no question: "... in at most 50 words."."""
GOES_ON = re.compile(
    rf"(?:for\s+(?:example|instance)|e\.g\.|example|where\s+\S|that\s+is,|i\.e\.|otherwise"
    rf"|{_QUOTE})",
    re.IGNORECASE,
)
"""A sentence that belongs to the instruction before it."""

_FORM_TITLE = (
    r"(?:(?:expected|required|desired)\s+)?(?:output|response|answer|reply)\s*(?:requirements?"
    r"|format(?:ting)?|instructions?|schema|structure|constraints?|style|rules|template|guidelines?"
    r"|specification)?|format(?:ting)?(?:\s+(?:instructions?|requirements?|rules|guidelines?))?"
    r"|json\s+schema|(?:ausgabe|antwort)(?:format)?|formatvorgaben?"
    r"|(?:\u8f93\u51fa|\u56de\u7b54|\u7b54\u9898|\u683c\u5f0f)(?:\u8981\u6c42|\u683c\u5f0f)"
)
_OTHER_TITLE = (
    r"(?:user\s+)?(?:questions?|query|task|problem|prompt|choices|options|context|documents?"
    r"|passages?|text|article|background|frage|aufgabe|kontext)(?:\s+\d{1,4})?"
    r"|\u95ee\u9898|\u9898\u76ee|\u9009\u9879|\u6750\u6599"
)
_TITLE = r"[#*_\[\u3010<=\s]{{0,10}}(?:{})\s*[\]\u3011>*_=]{{0,4}}\s*{}"
FORM_HEADING = re.compile(_TITLE.format(_FORM_TITLE, r"[:\uff1a]?[*_=\s]*$"), re.IGNORECASE)
"""A line that is a title of instructions and nothing else."""
FORM_LABEL = re.compile(_TITLE.format(_FORM_TITLE, r"[:\uff1a]"), re.IGNORECASE)
"""A line that begins with such a title and a colon."""
OTHER_LABEL = re.compile(_TITLE.format(_OTHER_TITLE, r"(?:[:\uff1a]|\s*$)"), re.IGNORECASE)
"""A line that begins with the title of something else."""
LIST_LINE = re.compile(r"\s*(?:[-*\u2022\u00b7]\s|\d{1,2}[.)\u3001]|\([a-z0-9]{1,2}\)\s)")
"""A line of a list."""
SCHEMA = re.compile(
    r"\"(?:type|properties|\$schema|required)\"\s*:|:\s*(?:\"(?:\.\.\.|<[^<>\"]{1,60}>|string|number"
    r"|your\s[^\"]{1,60}|)\"|<[^<>\"]{1,60}>|\.\.\.)",
    re.IGNORECASE,
)
"""A JSON block that describes an answer instead of holding values."""

SIGNS = re.compile(
    rf"\b(?:in|as|to|valid|return|output|use|using)\s+(?:\w+\s+)?{_MARKUP}\b|\bjson\s+(?:object"
    rf"|format|schema|array|with)\b|\byour\s+(?:final\s+)?{_ANSWER}\b|\b{_BOUND}\s+\S{{1,12}}\s+"
    rf"(?:words?|sentences?|characters?)\b|\b(?:words?|sentences?)\s+(?:or\s+(?:less|fewer)|max)\b"
    rf"|\bin\s+{_NUMBER}\s+(?:short\s+)?(?:words?|sentences?|paragraphs?|bullet\s+points?)\b"
    r"|\bbullet(?:ed)?\s+(?:points?|list)\b|\\boxed\b|\bstep[\s-]by[\s-]step\b|\bletter\s+only\b"
    r"|\b(?:answer|respond|reply)\s+(?:only|briefly|concisely|with|in\s+(?:one|a)\b)"
    r"|\brounded\s+to\b|\bdecimal\s+places?\b|\bin\s+(?:einem\s+wort|\w+\s+s\u00e4tzen)\b"
    r"|\bstichpunkt|\u683c\u5f0f\u56de\u7b54|\u683c\u5f0f\u8f93\u51fa|\u5b57\u4ee5\u5185",
    re.IGNORECASE,
)
"""Words that are seldom used but about an answer's form, wherever they stand."""

ASKS = re.compile(
    r"[?\uff1f]|\b(?:who|whom|whose|what|which|when|where|why|how)\b|^\W{0,4}(?:find|list|name"
    r"|identify|describe|explain|summari[sz]e|compare|calculate|compute|determine|extract|count"
    r"|tell|discuss|analy[sz]e|repeat|prepend|quote|translate|write|state|give|rank|retrieve|recall"
    r"|solve|evaluate|estimate|classify|nenne|beschreibe|erkl\u00e4re|finde|berechne)\b"
    r"|\b(?:wer|was|wann|wo|warum|wie|welche[rsnm]?|wessen)\b|\u4ec0\u4e48|\u8c01|\u54ea|\u591a\u5c11"
    r"|\u51e0|\u4e3a\u4f55|\u5982\u4f55|\u662f\u5426|\u600e|\u5417",
    re.IGNORECASE,
)
"""A sentence that asks for something."""
FRAME = re.compile(
    r"(?:you\s+(?:are|will\s+be)\s|i\s+(?:will|have|am)\s|(?:please\s+)?read\s+the|the\s+following"
    r"|below\s+(?:is|are)|here\s+(?:is|are)|(?:using|based\s+on|given)\s+(?:only\s+)?the\s[^,]{0,60}$"
    r"|(?:please\s+)?answer\s+the\s|(?:please\s+)?answer\s+this\s|dear\s|hi\b|hello\b|thank|good\s+luck"
    r"|\u8bf7(?:\u9605\u8bfb|\u56de\u7b54|\u57fa\u4e8e)|beantworten?\s)",
    re.IGNORECASE,
)
"""A sentence that only leads to a question."""

QUOTED = re.compile(
    r"\"[^\"]{0,400}\"|`[^`]{0,400}`|\u201c[^\u201d]{0,400}\u201d|\([^()]{0,200}\)|<[^<>]{0,200}>"
    r"|\\boxed\{[^{}]{0,100}\}|(?<!\w)'[^']{1,200}'(?!\w)"
)
"""What an instruction quotes; names in it are not asked about."""
_FORM_WORDS = """
    a above after all also an and answer answers any anything appear as at based be before begin
    below between bold box boxed braces brackets brief briefly bullet bullets but by can cannot
    character characters choice choices cite clear clearly code comma commas complete completely
    concise concisely contain contains containing correct corresponding csv date dates decimal
    decimals digit digits direct directly do does don document double each either else embed
    enclosed end english ending ensure exact exactly example exclusively explain explanation
    explanations expressed few fewer field fields final first following follow followed for form
    format formatted from full german give given html i if in include including inside instead
    integer is it items its json just keep key keys language last latex least less letter letters
    limit line lines list lists long lower lowercase make mark markdown maximum may me minimum more
    most must name named names nearest new no not nothing note null number numbers numeric numerical
    object objects of on one only option options or order other out output paragraph paragraphs
    part passage percent percentage phrase place places plain point points possible precise
    preceded prefix provide provided put question questions quotation quote quotes reason reasoning
    reply required respond response result return round rounded say schema sentence sentences
    separate separated short should show simple single so space spaces start starting state step
    steps string strings style such symbol symbols tag tags template text than that the them then
    there these they think this three to true false two type unanswerable uppercase under unit units
    unknown use using valid value values want when where which with within without word words work
    wrap write xml yaml yes you your zero"""
FORM_WORDS = frozenset(_FORM_WORDS.split())
"""Words about the form of answers; many others in a sentence mean that it asks for something."""
