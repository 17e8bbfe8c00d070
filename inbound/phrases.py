# ruff: noqa: E501  a pattern is easier to check on one line
"""How people say "stop" in a sentence: patterns over folded words (`inbound/folding.py`), one clause at a time.

A pattern finds the request; what stands to its right decides. Only words of `TAIL` may follow for the request to
be acted upon at once ("stop texting me please"), anything else goes to a person ("stop texting me the menu").
Every repetition is bounded, so no text makes a pattern slow.
"""

import re
from dataclasses import dataclass

from inbound import vocabulary

FILLER = vocabulary.family("filler")  # changes nothing: courtesy, emphasis, address
# What may stand around a keyword that is the whole text or clause; a preposition there makes another sentence of it.
COURTESY = FILLER - vocabulary.family("connecting")
TAIL = FILLER | vocabulary.family("request")  # after a request, these still belong to it

_SENDING = (
    r"(texting|messaging|contacting|spamming|bothering|harassing|calling|emailing|sending|pestering|bugging|annoying|"
    r"notifying|blasting|soliciting|mailing|advertising|pinging|dming|writing|marketing|reaching|hitting|blowing|"
    r"bombarding|flooding|wasting|tormenting|stalking|disturbing|communicating|alerting|smsing|hounding|trying|trolling|solicitation)"
)
_THINGS = (
    r"(texts?|messages?|sms|mms|alerts?|notifications?|ads?|adverts?|advertisements?|advertising|promos?|promotions?|promotionals?|"
    r"offers?|spam|marketing|solicitations?|services?|subscriptions?|communications?|contact|updates?|reminders?|newsletters?|"
    r"blasts?|nonsense|crap|shit|bs|junk|bullshit|coupons?|correspondence|mailings?|program|bulletins?|texting)"
)
_TEXT_THINGS = (
    r"(texts?|messages?|sms|mms|alerts?|notifications?|promos?|promotions?|marketing|ads|updates|newsletters?|spam)"
)
_BETWEEN = (
    r"(?:(?:all|the|these|this|those|any|your|with|of|further|future|more|it|sending|me|us|my|from|damn|fucking|stupid|annoying|"
    r"unwanted|out|giving|getting|immediately|please|such|every|automated|text|daily|constant|promotional|marketing|bloody|stop|"
    r"goddamn|on|to|both|phone|fuck|crap|unsolicited|receiving|other|ridiculous) ){0,6}"
)
_OUR_NUMBER = r"(?:my|this|our|the) (?:\w+ ){0,2}?(?:number|phone|cell|line|mobile|digits|name|info|information|data|details|contacts?|account info|s)"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Acted upon at once when nothing but `TAIL` follows; else it goes to a person."""

    rule: str
    pattern: re.Pattern[str]


def certain(rule: str, pattern: str) -> Phrase:
    return Phrase(rule, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"))


ENGLISH = (
    certain("stop sending", rf"(?:stop|quit|cease|discontinue|halt|desist|refrain|suspend|enough|stopping|done|knock off|cut out|sick of|tired of|end) {_BETWEEN}{_SENDING}"),
    certain("stop messages", rf"(?:stop|quit|cease|discontinue|halt|suspend|enough|stopping|done|knock off|cut out|end|terminate) {_BETWEEN}{_THINGS}"),
    certain("cancel messages", rf"(?:cancel|deactivate|disable|turn off|shut off|switch off|opt out of|block) {_BETWEEN}{_TEXT_THINGS}"),
    certain("text to stop", rf"{_TEXT_THINGS} (?:\w+ ){{0,2}}?(?:to|must|should|need to|needs to|have to|has to|better) (?:stop|end|cease)"),
    certain("do not text", (
        r"(?:dont|never|not|nolonger|shouldnt|better not|no) (?:(?:you|ever|please|to|be|keep|continue|want|guys|again|even|and|or|fucking|try|dare|bother|would|like|start) ){0,4}"
        r"(?:text|texting|message|messaging|contact|contacting|contacted|texted|messaged|call|calling|bother|bothering|write|spam|email|notify|harass|ping|disturb|annoy|solicit|sms|use|reach out(?: to)?)"
        r"(?: (?:or|and) \w+){0,2} (?:me|us|my|this|here|anymore|again|any|ever)(?! back)")),
    certain("do not send", (
        r"(?:dont|never|not|nolonger|shouldnt|no) (?:(?:you|ever|please|to|be|keep|continue|want|guys|again|even|would|like) ){0,4}"
        rf"(?:send|sending|sent) (?:(?:me|us|any|another|anymore|more|further|your|these|this|such|my|the|out|to|number|phone|other|text|promotional|marketing|unsolicited|stupid|shit) ){{0,5}}(?:{_THINGS}|anything|stuff|this|these|anymore|again|more|shit)")),
    certain("no more", rf"(?:no|without|zero) (?:(?:more|further|additional|other|future|fucking|damn|of|your|these|those|the|text|promotional|marketing|spam|stupid|cold|daily|automated) ){{1,4}}{_THINGS}"),
    certain("no texts", r"^(?:please )?no (?:texts?|messages|sms|spam|ads|promos|marketing|solicitations?|texting|soliciting)"),
    certain("do not want messages", (
        r"(?:dont|never|nolonger|not|didnt) (?:really |even |ever |currently )?(?:want|wish|need|care|like|desire|intend|interested in|authorize|appreciate|agree|consent|require|accept) (?:(?:to|for|in|get|getting|receive|receiving|"
        rf"have|see|be|being|any|anymore|more|further|your|these|this|those|the|such|of|from|you|text|part|on|a|marketing|promotional|stupid|spam|sent|here|other|all|getting|sending|me|advertising|automated) ){{0,7}}"
        rf"(?:{_THINGS}|hear(?:ing)? from (?:you|yall|your \w+)|contacted|texted|messaged|bothered|list|subscribed|member|lists)")),
    certain("nolonger text", r"(?:nolonger|never|not) (?:be )?(?:text(?:ed|ing)?|messag(?:ed?|ing)|contact(?:ed|ing)?|receiv(?:ed?|ing)|get|getting|want(?:ing)? (?:to )?(?:receive|get)) (?:me|us|this number|my phone|any|these|your|texts|messages|anything|text)"),
    certain("take me off", rf"(?:take|remove|drop|scratch|get|delete|erase|strike|pull|cross|wipe|purge|dump|unlist|keep|leave|kick|put|pls remove|cut) (?:please |just )?(?:me|us|{_OUR_NUMBER}|number) (?:(?:please|immediately|the|fuck|hell|right|straight|completely|permanently|totally) ){{0,2}}(?:off|out|from)(?! (?:of )?(?:bed|the (?:car|waitlist|wait list|waiting list|order|schedule|deposit|bus|shuttle)))"),
    certain("remove me", rf"(?:remove|delete|erase|unenroll|unregister|unsubscribe|deregister|opt out|opt|disenroll) (?:me|us|{_OUR_NUMBER}|my)"),
    certain("off the list", r"(?:want|like|be|need|get|wish|am|want to be|taken|removed|take) (?:\w+ )?(?:off|removed from|out of|taken off) (?:of )?(?:the|this|your|that|all|any|these) (?:\w+ ){0,3}?(?:lists?|database|service|system|texts|messages|thread|subscription)"),
    certain("off the list", r"(?:come|remove|delete|drop|take) (?:please )?(?:it )?(?:off|from) (?:of )?(?:(?:your|this|the|that|all|ur|any|these) )?(?:\w+ ){0,2}?(?:lists?|database|system)"),
    certain("to be removed", r"(?:want|asked|ask|asking|need|like|please|wish|request|requesting|requested|demand) (?:to )?(?:be |get |being )?(?:removed|taken off|unsubscribed|opted out|deleted|removal|unsubscription)"),
    certain("lose my number", r"(?:lose|forget|delete|erase|ditch|toss|discard|trash|drop|block|remove|dont use|scrub) (?:my|this|our) (?:(?:damn|fucking|phone|cell|contact) ){0,2}(?:number|digits|contact|cell|info|information|details|data)"),
    certain("opt out", r"(?:opt|opting|opted|opts) (?:me |us |this number |my number |my phone )?out|optout|optingout"),
    certain("unsubscribe", r"(?:unsubscribe|unsubscribing|unenroll|unsubscribed me|unsubscription|end my subscription to (?:this|these|your) \w+)"),
    certain("leave alone", r"leave (?:me|us|my phone|this number) (?:\w+ ){0,3}?(?:alone|be)"),
    certain("revoke consent", r"(?:revok|withdraw|rescind|retract|cancel|remov|terminat)\w* (?:(?:my|any|all|prior|previous|the|given|hereby|express|written) ){0,4}(?:consent|permission|authori[sz]ation|approval|opt in)"),
    certain("no consent", r"(?:dont|nolonger|didnt|never|not|no) (?:(?:have|had|my|give|gave|given|you|your|i|any|longer|do|hereby) ){0,5}(?:consent|permission) (?:to )?(?:text|contact|message|send|call|receive|be)"),
    certain("cease and desist", r"cease (?:and|n|or) desist|(?:cease|desist)(?: all)?(?: contact| communications?)?"),
    certain("wrong number", r"^(?:(?:hi|hello|sorry|but|you|have|got|texted|the|a|this|is|it|i|think|believe|texting|texted|dialed|reached|no|yes|and|must|may|am|afraid|are|was|your|sending|to|hey|um|guys|were|probably|might|it|ve|that|s|called|using|please|who) ){0,9}wrong (?:number|person|guy|girl|phone|one|recipient|contact|lady|man|woman|cell)"),
    certain("do not call list", r"(?:put|add|place|am|is|number|on) (?:\w+ ){0,3}?(?:on|to|in)? ?(?:the |your |a )?(?:do not|dont|donot|no) (?:call|contact|text|disturb)(?: list| registry)?"),
    certain("no contact", r"^(?:please )?(?:dont|no|never) (?:text|contact|message|texting|messaging)(?: (?:this|me|my|us|anymore|again|ever))?"),
    certain("told you to stop", r"(?:asked|told|tell|telling|asking|begging|ask|begged|want|need|demand|demanding|like|love|request|requesting|order|ordering|said) (?:(?:you|guys|all|people|them|this|these|it|that|yall|texts|messages|i|have|would|for|text|again|to|the|repeatedly|before|please|multiple|times|many|already|nicely) ){0,6}(?:stop|unsubscribe|quit it|cease)(?! (?:by|in|at|over|and (?:see|get|pick)))"),
    certain("never text", r"never (?:ever |again )?(?:text|contact|message|call|send|bother|write|sms)(?: (?:me|us|to|this|my|anything))?"),
    certain("off my phone", r"(?:get|stay|keep|fuck|stop) (?:the \w+ )?(?:off|out of|away from) (?:my|of my) (?:phone|number|line|cell|messages|inbox|texts)"),
    certain("let me out", r"(?:want|like|let|get|count|leave) (?:me |us |to get |to be )?out of (?:this|these|your|the|all) (?:list|lists|texts|messages|service|program|subscription|group|thread)"),
)  # fmt: skip

# "stop" and "cancel" that ask for nothing.
HARMLESS = re.compile(
    r"(?<!\w)(?:"
    r"(?:bus|train|next|last|first|pit|tram|metro|subway|truck|rest|full|whistle|your|one|two|three|my|our|a|which|what|each|final|tour|rail|red) stops?(?! (?:texting|sending|messag\w+|spamming))"
    r"|stops?(?:ped|ping)? (?:sign|light|watch|gap|over|loss|motion|shop|by|in|at|and (?:shop|see|get|grab|pick|say|talk|chat|think|smell)|for (?:gas|food|coffee|lunch|dinner|a)|serving|taking|accepting|selling|working|raining|snowing|running|bleeding|hurting|laughing|crying|thinking|smoking|drinking|eating|making|"
    r"offering|delivering|doing|using|on|here|there|near|along|anytime|tomorrow|tonight|payment|cooking|baking)"
    r"|(?:ill|i will|can i|could i|may i|will|gonna|going to|we can|should i|might|did|can we|want to|like to|i could|we could|we will|ill just|let me|lets|id like to|to|does it|does the \w+|do the \w+|when does \w+|do they|it will|it) stop(?= (?:by|in|at|over|off|here|there|near|on|working|and|$|raining|hurting|for))"
    r"|(?:cant|wont|couldnt|doesnt|didnt|wouldnt|never|not|nonstop|hard to|doesn t|havent|isnt going to|not going to) (?:seem to |ever |help but |going to )?stop(?! (?:texting|sending|messag\w+|contact\w+|spamm\w+|bother\w+))"
    r"|non ?stop|one stop|short stop|shortstop|stop(?:watch|light|gap)"
    r"|what (?:time|day|hour) (?:\w+ ){1,4}stop|when (?:\w+ ){1,4}(?:stop|end|ends|cancel)|where (?:\w+ ){1,5}stop"
    r")(?!\w)"
)
NEGATION = re.compile(
    r"(?<!\w)(?<!you )(?<!yall )(?<!they )(?<!why )(?:(?:dont|never|wont|not|do not|no need to|wouldnt|shouldnt|didnt|why would i) (?:(?:ever|you|please|want|to|you dare|want you|really|like|yet|mean|even|dare|going|try|ask|said|say|be) ){0,4})"
    r"(?:stop|unsubscribe|unsubscribed|cancel|opt out|quit|end|remove me|take me off|opted out|optout)(?!\w)"
)
# They ask for less, not for nothing; or for another way, and this one is welcome.
LIMITED = re.compile(
    r"(?<!\w)(?:unless|except|apart from|other than|until|till|before \d|after \d|only (?:about|for|when|if)|about my|"
    r"while i|on (?:sundays?|weekends?)|so (?:early|late|much|often)|keep (?:sending|texting)|still want)(?!\w)"
)
WELCOME = re.compile(
    r"^(?:(?:but|and|just|please|you can|only|so|id rather you|instead) ){0,3}text(?:s|ing)? (?:me|is|are|works?|instead|only|please|better)(?!\w)"
    r"|(?<!\w)(?<!dont )(?<!not )(?<!never )(?:keep (?:sending|texting)|(?:still|do|but) want (?:the |your |to get )?(?:texts|messages|reminders))(?!\w)"
)
# A request can stand under "can you", not under these: they ask, suppose or tell.
ASKING = re.compile(
    r"^(?:(?:hi|hello|hey|ok|so|and|but|please|sorry|just|thanks) ){0,3}(?:how|where|what|when|why|if|does|should|did|may i|can i|could i|do i|is there|is this|is it|are there|unless|until|whenever|after|will i|do you|do they|have you|has|was|were|which|tell me (?:how|why)|i (?:wonder|asked how))(?!\w)"
)
# Where only "stop" and its like is left of a sentence: told to somebody, or a wish to end something.
LONELY = re.compile(
    r"(?<!\w)(?:stop|stops|stopping|stopped texting|stopall|unsubscribe\w*|optout|desist|revoke|discontinue|arret|stopp)(?!\w)"
    r"|(?:^|(?<!\w)(?:please|to|want|need|just|you|can you|and|must|now|ok|yes|no) )(?:cancel|quit|terminate|end|discontinue) (?:my|the|this|these|it|all|me|that|our|everything|your|texting|sending|subscription|membership|service|now|please|immediately|messages)(?! (?:day|week|month|year|of|season|sale|morning|night))"
    r"|(?<!\w)cancel(?:ling|ing|lation)? (?:my |the )?(?:subscription|membership|service|account|texts?)(?!\w)"
)
STOP_SIGNS = frozenset("🛑⛔🚫🖕✋🙅🔕🚷📵❌")
