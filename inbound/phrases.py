"""How people say "stop" in a sentence: patterns over folded words (`inbound/folding.py`), one clause at a time.

A pattern finds the request; what stands to its right decides. Only words of `TAIL` may follow for the request to
be acted upon at once ("stop texting me please"), anything else goes to a person ("stop texting me the menu").
Every repetition is bounded, so no text makes a pattern slow.
"""

import re
from dataclasses import dataclass

from inbound import folding

# Words that change nothing: courtesy, emphasis, address.
FILLER = frozenset(
    "please kindly thanks thx cheers ok yes yeah yep no nope hi hello hey dear sir madam maam mam guys dude bro lol now "
    "immediately asap today already just really at once all everything it this that these ones here again ever anymore "
    "any more further forever permanently period effective immediate right so and or then i am we you me us my your the "
    "to from for of with on in a an is be would could can will want need like do must have has very much sincerely "
    "regards first last warning final time times said sorry oh um uh well good day morning evening team folks people "
    "everyone fucking fuck damn damnit dammit shit god goddamn bloody hell bitch bitches asshole assholes bastards idiot idiots "
    "stupid sick effing freaking frigging bye goodbye reply via por favor gracias ya mas merci svp sil vous plait bitte "
    "danke grazie per favore obrigado obrigada aub alsjeblieft dank prosze dziekuje пожалуиста спасибо tack tak takk "
    "谢谢 請 请 谢 ください お願いします 부탁드립니다 감사합니다 شكرا lutfen tesekkurler".split()
)
# What may stand around a keyword that is the whole text or clause; a preposition there makes another sentence of it.
COURTESY = FILLER - frozenset("in on for of from with at an a is well be am would could can will first last day period final".split())
# After a request, these still belong to it.
TAIL = FILLER | frozenset(
    "number numbers phone phones cell mobile line text texts texting message messages messaging sms mms spam ads ad promo promos "
    "promotions promotional marketing offers offer alerts alert notifications updates service services subscription list lists "
    "database system systems records record contacts contact contacting sending send communication communications "
    "calls call calling information info data details name mailing distribution subscribers subscriber subscriptions program "
    "programs thread group company business account spamming bothering harassing nonsense crap junk unsolicited unwanted "
    "annoying constant daily weekly automated these those such kind kinds type types stuff bs out off up about through "
    "their his her our as possible soon every single every day night week month hour not interested nolonger because if "
    "days years ago few several thousand hundred before told asked told said serious seriously hate wish appreciate "
    "appreciated great consent given give gave permission hereby never signed subscribed stop unsubscribe quit end cancel "
    "remove delete sms es por los las el la mi sus su les le des de du mes mon ma vos votre plus mir mich mehr von ihnen "
    "keine sie meine meiner nummer lista liste lijst numero telefono telefone".split()
)

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
_TEXT_THINGS = r"(texts?|messages?|sms|mms|alerts?|notifications?|promos?|promotions?|marketing|ads|updates|newsletters?|spam)"
_BETWEEN = (
    r"(?:(?:all|the|these|this|those|any|your|with|of|further|future|more|it|sending|me|us|my|from|damn|fucking|stupid|annoying|"
    r"unwanted|out|giving|getting|immediately|please|such|every|automated|text|daily|constant|promotional|marketing|bloody|stop|"
    r"goddamn|on|to|both|phone|fuck|crap|unsolicited|receiving|other|ridiculous) ){0,6}"
)
_OUR_NUMBER = r"(?:my|this|our|the) (?:\w+ ){0,2}?(?:number|phone|cell|line|mobile|digits|name|info|information|data|details|contacts?|account info|s)"


@dataclass(frozen=True, slots=True)
class Phrase:
    """`certain`: acted upon at once when nothing but `TAIL` follows; else it always goes to a person."""

    rule: str
    pattern: re.Pattern[str]
    certain: bool


def _certain(rule: str, pattern: str) -> Phrase:
    return Phrase(rule, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"), certain=True)


def _doubtful(rule: str, pattern: str) -> Phrase:
    return Phrase(rule, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"), certain=False)


def _folded(pattern: str) -> str:
    return folding.strip_marks(pattern)


ENGLISH = (
    _certain("stop sending", rf"(?:stop|quit|cease|discontinue|halt|desist|refrain|suspend|enough|stopping|done|knock off|cut out|sick of|tired of|end) {_BETWEEN}{_SENDING}"),
    _certain("stop messages", rf"(?:stop|quit|cease|discontinue|halt|suspend|enough|stopping|done|knock off|cut out|end|terminate) {_BETWEEN}{_THINGS}"),
    _certain("cancel messages", rf"(?:cancel|deactivate|disable|turn off|shut off|switch off|opt out of|block) {_BETWEEN}{_TEXT_THINGS}"),
    _certain("text to stop", rf"{_TEXT_THINGS} (?:\w+ ){{0,2}}?(?:to|must|should|need to|needs to|have to|has to|better) (?:stop|end|cease)"),
    _certain("do not text", (
        r"(?:dont|never|not|nolonger|shouldnt|better not|no) (?:(?:you|ever|please|to|be|keep|continue|want|guys|again|even|and|or|fucking|try|dare|bother|would|like|start) ){0,4}"
        r"(?:text|texting|message|messaging|contact|contacting|contacted|texted|messaged|call|calling|bother|bothering|write|spam|email|notify|harass|ping|disturb|annoy|solicit|sms|use)"
        r"(?: (?:or|and) \w+){0,2} (?:me|us|my|this|here|anymore|again|any|ever)(?! back)")),
    _certain("do not send", (
        r"(?:dont|never|not|nolonger|shouldnt|no) (?:(?:you|ever|please|to|be|keep|continue|want|guys|again|even|would|like) ){0,4}"
        rf"(?:send|sending|sent) (?:(?:me|us|any|anymore|more|further|your|these|this|such|my|the|out|to|number|phone|other|text|promotional|marketing|unsolicited|stupid|shit) ){{0,5}}(?:{_THINGS}|anything|stuff|this|these|anymore|again|more|shit)")),
    _certain("no more", rf"(?:no|without|zero) (?:(?:more|further|additional|other|future|fucking|damn|of|your|these|those|the|text|promotional|marketing|spam|stupid) ){{1,4}}{_THINGS}"),
    _certain("no texts", r"^(?:please )?no (?:texts?|messages|sms|spam|ads|promos|marketing|solicitations?|texting|soliciting)"),
    _certain("do not want messages", (
        r"(?:dont|never|nolonger|not|didnt) (?:really |even |ever |currently )?(?:want|wish|need|care|like|desire|intend|interested in|authorize|appreciate|agree|consent|require|accept) (?:(?:to|for|in|get|getting|receive|receiving|"
        rf"have|see|be|being|any|anymore|more|further|your|these|this|those|the|such|of|from|you|text|part|on|a|marketing|promotional|stupid|spam|sent|here|other|all|getting|sending|me|advertising|automated) ){{0,7}}"
        rf"(?:{_THINGS}|hear(?:ing)? from you|contacted|texted|messaged|bothered|list|subscribed|member|lists)")),
    _certain("nolonger text", r"(?:nolonger|never|not) (?:be )?(?:text(?:ed|ing)?|messag(?:ed?|ing)|contact(?:ed|ing)?|receiv(?:ed?|ing)|get|getting|want(?:ing)? (?:to )?(?:receive|get)) (?:me|us|this number|my phone|any|these|your|texts|messages|anything|text)"),
    _certain("take me off", rf"(?:take|remove|drop|scratch|get|delete|erase|strike|pull|cross|wipe|purge|dump|unlist|keep|leave|kick|put|pls remove|cut) (?:please |just )?(?:me|us|{_OUR_NUMBER}|number) (?:(?:please|immediately|the|fuck|hell|right|straight|completely|permanently|totally) ){{0,2}}(?:off|out|from)(?! (?:of )?(?:bed|the (?:car|waitlist|wait list|waiting list|order|schedule|deposit|bus|shuttle)))"),
    _certain("remove me", rf"(?:remove|delete|erase|unenroll|unregister|unsubscribe|deregister|opt out|opt|disenroll) (?:me|us|{_OUR_NUMBER}|my)"),
    _certain("off the list", r"(?:want|like|be|need|get|wish|am|want to be|taken|removed|take) (?:\w+ )?(?:off|removed from|out of|taken off) (?:of )?(?:the|this|your|that|all|any|these) (?:\w+ ){0,3}?(?:lists?|database|service|system|texts|messages|thread|subscription)"),
    _certain("to be removed", r"(?:want|asked|ask|asking|need|like|please|wish|request|requesting|requested|demand) (?:to )?(?:be |get |being )?(?:removed|taken off|unsubscribed|opted out|deleted|removal|unsubscription)"),
    _certain("lose my number", r"(?:lose|forget|delete|erase|ditch|toss|discard|trash|drop|block|remove|dont use|scrub) (?:my|this|our) (?:(?:damn|fucking|phone|cell|contact) ){0,2}(?:number|digits|contact|cell|info|information|details|data)"),
    _certain("opt out", r"(?:opt|opting|opted|opts) (?:me |us |this number |my number |my phone )?out|optout|optingout"),
    _certain("unsubscribe", r"(?:unsubscribe|unsubscribing|unenroll|unsubscribed me|unsubscription|end my subscription to (?:this|these|your) \w+)"),
    _certain("leave alone", r"leave (?:me|us|my phone|this number) (?:(?:the|fuck|hell|f|be|please|fucking) ){0,3}(?:alone|be)"),
    _certain("revoke consent", r"(?:revok|withdraw|rescind|retract|cancel|remov|terminat)\w* (?:(?:my|any|all|prior|previous|the|given|hereby|express|written) ){0,4}(?:consent|permission|authori[sz]ation|approval|opt in)"),
    _certain("no consent", r"(?:dont|nolonger|didnt|never|not|no) (?:(?:have|had|my|give|gave|given|you|your|i|any|longer|do|hereby) ){0,5}(?:consent|permission) (?:to )?(?:text|contact|message|send|call|receive|be)"),
    _certain("cease and desist", r"cease (?:and|n|or) desist|(?:cease|desist)(?: all)?(?: contact| communications?)?"),
    _certain("wrong number", r"^(?:(?:hi|hello|sorry|but|you|have|got|texted|the|a|this|is|it|i|think|believe|texting|texted|dialed|reached|no|yes|and|must|may|am|afraid|are|was|your|sending|to|hey|um|guys|were|probably|might|it|ve|that|s|called|using|please|who) ){0,9}wrong (?:number|person|guy|girl|phone|one|recipient|contact|lady|man|woman|cell)"),
    _certain("do not call list", r"(?:put|add|place|am|is|number|on) (?:\w+ ){0,3}?(?:on|to|in)? ?(?:the |your |a )?(?:do not|dont|donot|no) (?:call|contact|text|disturb)(?: list| registry)?"),
    _certain("no contact", r"^(?:please )?(?:dont|no|never) (?:text|contact|message|call|texting|messaging)(?: (?:this|me|my|us|back|anymore|again|ever))?"),
    _certain("told you to stop", r"(?:asked|told|tell|telling|asking|begging|ask|begged|want|need|demand|demanding|like|love|request|requesting|order|ordering|said) (?:(?:you|guys|all|people|them|this|these|it|that|yall|texts|messages|i|have|would|for|text|again|to|the|repeatedly|before|please|multiple|times|many|already|nicely) ){0,6}(?:stop|unsubscribe|quit it|cease)(?! (?:by|in|at|over|and (?:see|get|pick)))"),
    _certain("never text", r"never (?:ever |again )?(?:text|contact|message|call|send|bother|write|sms)(?: (?:me|us|to|this|my|anything))?"),
    _certain("off my phone", r"(?:get|stay|keep|fuck|stop) (?:the \w+ )?(?:off|out of|away from) (?:my|of my) (?:phone|number|line|cell|messages|inbox|texts)"),
    _certain("let me out", r"(?:want|like|let|get|count|leave) (?:me |us |to get |to be )?out of (?:this|these|your|the|all) (?:list|lists|texts|messages|service|program|subscription|group|thread)"),
)  # fmt: skip

DOUBTFUL = (
    _doubtful("spam", r"(?:spam|spams|spammer|spammers|spamming|spammed|scam|scammer|scammers|scams|phishing|fraud|unsolicited|junk)(?! (?:folder|box|filter|mail folder))"),
    _doubtful("hostile", r"(?:fuck|piss|bugger|sod|buzz|back|f|naff|eff|screw|get) (?:you|off|yourself|u|lost|bent)|go away|shut (?:the \w+ )?up|stfu|gtfo|go to hell|screw you|get a life|eat shit|drop dead|kiss my ass|bite me|fu|foad|up yours|suck my \w+|fuck(?:ing)? (?:this|these|your|those)|^fuck$|harass\w*|stalk\w*|knock it off|cut it out|give it (?:a rest|up)|enough(?: is enough| already| with| of this)|bothering me"),
    _doubtful("legal threat", r"lawyers?|attorneys?|lawsuit|sue|suing|legal action|fcc|ftc|tcpa|gdpr|dnc|do not call|donotcall|court|cease|desist|against the law|illegal(?:ly)?|violation|better business bureau|bbb|class action|ico complaint|file (?:a )?complaint|filing (?:a )?complaint|small claims|data protection"),
    _doubtful("report", r"(?:report|reporting|reported|block|blocking|blocked|mute|muting|muted) (?:you|this|your|number|as|it as|to|these|and (?:report|block)\w*)"),
    _doubtful("never signed up", r"(?:never|didnt|dont remember|dont recall|not|did not|havent|dont) (?:(?:even|ever|actually|remember|recall|have|a|any|knowingly|i) ){0,3}(?:sign(?:ed|ing)? up|subscrib\w*|request(?:ed)?|ask(?:ed)? (?:for|to)|opt(?:ed)? in|enroll?e?d?|register(?:ed)? (?:for|to)|join(?:ed)?|consent(?:ed)?|give (?:you )?(?:permission|consent|my)|gave (?:you )?(?:permission|consent|my)|agree(?:d)? to|authorize[d]?|given (?:you )?(?:permission|consent|my)|authoris\w*)"),
    _doubtful("whence my number", r"(?:how|where|who) (?:did|do|the \w+ did|gave|sold|in the \w+|is) (?:(?:you|they|guys|people|even|this|fuck|hell) ){0,3}(?:get|got|have|find|obtain|giving|gave|sell|sold) (?:you |me |to )?(?:my|this|our) (?:\w+ )?(?:number|info|information|data|contact|phone|cell|details|name)|who (?:gave|sold|give) (?:you )?my|why do you have my (?:number|info\w*)"),
    _doubtful("not interested", r"(?:not|nolonger|never|zero|no|isnt|werent|lost|dont have) (?:(?:at|all|really|in|the|slightest|least|remotely|any|even|been|be) ){0,3}interest(?:ed)?|uninterested|disinterested"),
    _doubtful("not mine", r"not (?:my|his|her|their) (?:phone|number|account|order)|(?:nolonger|not) (?:(?:my|his|her|the|their|a|with|at|has|have|use|uses|owns?|works?|lives?|correct|right|\w+s) ){1,4}(?:number|phone|person|here|customer|client|member|subscriber|patient|company)|number (?:has )?changed|new (?:owner|number now)|(?:this|i|you) (?:is|am|are|have) (?:not|isnt) (?:the (?:person|right)|him|her|them|who you|that person|a customer)|(?:doesnt|does not|dont) (?:live|work) here|(?:deceased|passed away|is dead|has died|died)|no one (?:here )?(?:by|with|named|called) |nobody (?:here )?(?:by|with|named|called) |(?:this|it) (?:is not|isnt) [^ ]+ ?(?:s number|s phone)?$|mistaken identity|someone else|somebody else|different person|dont know (?:you|who you are|who this is|this company)|wrong (?:number|person)"),
    _doubtful("too many", r"(?:too|so|way too|how) (?:many|much) (?:\w+ )?(?:texts?|messages?|sms|notifications|alerts|emails|spam|ads|promos)|(?:text|message|texts|messages|write|bug) (?:me )?(?:too|so) (?:much|often|many)|(?:sick|tired|fed up|done|over it|had it|had enough|annoyed) (?:of|with|by)|(?:bombard|flood|pester|bother|blow(?:ing)? up|annoy)\w* (?:me|us|my)|(?:you|these|this|texts|messages) (?:are|is|so|really|very) (?:(?:so|really|very|too|super|getting|just|extremely) ){0,3}(?:annoying|bothersome|a nuisance|nuisance|bothering|intrusive|ridiculous|unwanted|irritating|disturbing)|unwanted|nuisance"),
    _doubtful("why texting", r"why (?:(?:do|are|am|did|would|is|the|hell|fuck|on|earth|in) ){1,4}(?:(?:you|i|we|guys|people|still|keep|constantly|always|even|this) ){1,4}(?:text|texting|getting|get|receiving|receive|send|sending|contact|contacting|message|messaging|bother|bothering|spam|spamming|on|call|calling|write)|keep (?:texting|messaging|sending|contacting|getting|receiving|bothering|bugging|getting|spamming)|still (?:(?:getting|receiving|get|receive|sending|send|texting|text|keep|am|are|you|me|these|your|messaging|the) ){1,4}"),
    _doubtful("dont want", r"(?:dont|nolonger|not|never|didnt) (?:really |even |ever )?(?:want|need|wish|want to do|care for|care about|like) (?:(?:this|these|it|that|any of this|your|them|any|to) ?)?(?:anymore|shit|crap|stuff|texts|messages|again|business|junk|service|participate|continue|join|subscribe|be part)?$|nolonger (?:want|need|wish|require|like|use|using|a)|no desire|rather not (?:receive|get|be)|prefer not to"),
    _doubtful("unsubscribe", r"un\w{0,2}s[uc]\w{0,3}b?s?c?r?i\w{0,2}b\w*|desubscribe|disubscribe|unregister|deregister|disenroll|unenrol|opt(?:ing|ed)? out|optout|unfollow|unlist|de list"),
    _doubtful("remove", r"(?:remove|delete|erase|purge|forget|take|drop|scrub|wipe) (?:me|my (?:number|name|info|information|data|details|phone|account|profile|contact|subscription)|us|this number|all my|everything)(?! (?:to|a|an|the|home|there|with|back|through|about|up|in))|take me off|get me off|(?:be|get|been|being) (?:removed|taken off|deleted)(?: from)?|removal|count me out|i am out$|off (?:your|the|this) list"),
    _doubtful("bye", r"^(?:please )?(?:no more|enough|thats enough|that is enough|i am done|goodbye forever|done|i quit|i am out|im good no more|not anymore|no longer|nolonger|exit|leave|abort|out|mute|block|silence|off|turn off|turn it off|shut it off|deactivate|disable|delete|remove)(?: (?:please|thanks|this|all|now|it|me))*$"),
    _doubtful("contact less", r"(?:do not|dont|never|not|nolonger|shouldnt|wish you wouldnt) (?:(?:you|ever|please|to|be|keep|want|again|even|guys|need) ){0,4}(?:text|message|contact|send|sending|texting|messaging|contacting|texted|contacted|bother|spam|disturb|sms|notified|solicited|annoy)(?: (?:me|us|this|my|any|anymore|again|ever|more|no more|nothing|nomore|him|her))"),
    _doubtful("consent", r"(?:revok|withdraw|rescind|retract)\w*|(?:without|no) (?:my )?(?:consent|permission)|(?:dont|nolonger|not|didnt|never) (?:give |have |gave |had )?(?:my |you )?(?:consent|permission)"),
    _doubtful("privacy", r"privacy|invasion|(?:delete|erase) (?:all )?(?:my|your) (?:data|records|information)|right to be forgotten"),
)  # fmt: skip

# Other languages, over the folded clause; natives have not checked them yet.
FOREIGN = tuple(
    _certain(f"{language} phrase", _folded(pattern))
    for language, pattern in (
        ("es", r"no (?:me |nos )?(?:\w+ )?(?:envi|mand|escrib|contact|molest|llam|text)(?:e|en|es|a|an|eis)\w*(?: \w+){0,8}"),
        ("es", r"(?:dej|par)(?:a|e|en|ad|ame|enme|adme)n? de (?:envi|mand|escrib|molest|contact|llam|text|fastid)\w*(?: \w+){0,6}"),
        ("es", r"(?:dar|dame|deme|darme|denme|dadme|darse) (?:de |la )?baja(?: \w+){0,6}|(?:quiero|deseo|solicito|pido) (?:la |mi |una )?baja(?: \w+){0,6}"),
        ("es", r"(?:ya )?no (?:quiero|deseo|quisiera|necesito|me interesa|estoy interesad\w) ?(?:(?:recibir|mas|sus|tus|estos|esos|de|que|me|seguir|recibiendo|ningun|ninguna|los) ){0,5}(?:mensajes?|sms|textos?|publicidad|promociones|propaganda|recibir|ofertas|notificaciones|contacten|escriban|manden|envien|nada|spam)(?: \w+){0,5}"),
        ("es", r"no mas (?:mensajes|sms|textos|publicidad|spam|promociones)(?: \w+){0,4}"),
        ("es", r"(?:quit|borr|elimin|saqu|sac|remuev|remov|tach)\w* (?:me |mi |a mi |mis |este )?(?:numero|datos|telefono|nombre|de (?:la|su|esta|tu) (?:lista|base))(?: \w+){0,6}|numero equivocado|se equivoc\w+ de numero|cancel\w+ (?:la |mi |esta )?suscripcion|desuscrib\w+"),
        ("fr", r"(?:n|ne) ?(?:m|me|nous|plus)? ?(?:envoy|envoi|ecri|contact|derang|appel|sollicit|harcel|m ?envoy|menvoy|mecri|mappel)\w*(?: (?:plus|pas|jamais|rien|de|des|aucun|aucune|sms|messages|textos|svp|moi|a|ce|numero|publicite|pub|merci|sur)){1,8}"),
        ("fr", r"(?:arret|cess|stopp)(?:e|ez|er|ons)?z? (?:de |d|des |les |ces |vos |avec )\w*(?: \w+){0,6}"),
        ("fr", r"(?:je )?ne (?:veux|souhaite|desire|voudrais) plus (?:\w+ ?){1,8}|plus (?:de|aucun) (?:sms|messages?|textos?|pub|publicite)(?: \w+){0,4}|desabonn\w+(?: \w+){0,5}|desinscri\w+(?: \w+){0,5}"),
        ("fr", r"(?:retir|enlev|supprim|effac|ot|ray)(?:ez|er|e) (?:moi|mon|mes|ce)(?: \w+){0,6}|(?:mauvais|faux|erreur de) numero(?: \w+){0,4}|laisse(?:z)? (?:moi|nous) (?:tranquille|en paix)|stop (?:aux|les|la|a la|a vos|vos) \w+|vous vous trompez de numero|resili\w+"),
        ("de", r"(?:bitte )?(?:keine?n?|kein) (?:(?:weiteren?|mehr|werbe|solche|diese|ihrer) ){0,2}(?:sms|nachrichten|werbung|texte|mitteilungen|werbesms|anrufe|benachrichtigungen|spam|kontakt|newsletter|interesse)(?: \w+){0,6}"),
        ("de", r"ho?e?re?n? (?:sie )?(?:bitte |endlich |damit |sofort )*auf(?: \w+){0,6}|aufho?e?ren(?: \w+){0,4}|(?:nicht|nie) (?:mehr|wieder|weiter) (?:\w+ ){0,2}?(?:schreiben|kontaktieren|anschreiben|senden|schicken|texten|anrufen|kontaktiert|belastigen)"),
        ("de", r"(?:schreib|schick|send|kontaktier|belastig)\w* (?:sie )?(?:mir|mich|uns) (?:bitte )?(?:keine?|nicht|nix|nie|bloss nicht)(?: \w+){0,6}|(?:mich|mir) (?:bitte )?(?:abmelden|austragen|entfernen|loschen)|(?:abo|abonnement|vertrag) (?:kundigen|beenden|abbestellen)|lass(?:t|en sie)? mich (?:bitte )?in ruhe"),
        ("de", r"(?:losch|entfern|streich|nehm|nimm|trag|meld)\w* (?:sie )?(?:bitte )?(?:meine?|mich)(?: \w+){0,7}|falsche nummer|falsch verbunden|(?:will|mochte|wunsche|mocht) (?:\w+ ){0,3}?(?:keine?|nicht mehr|nichts mehr)(?: \w+){0,6}|widerruf\w*(?: \w+){0,5}|(?:von|aus) (?:der|ihrer|eurer|dem) (?:liste|verteiler)(?: \w+){0,3}"),
        ("pt", r"nao (?:me )?(?:\w+ )?(?:envi|mand|escrev|contat|contact|perturb|ligu)(?:e|em|es|a|am)\w*(?: \w+){0,7}|(?:pare|parem|para|parar|deixe|deixem|chega) (?:de|com) (?:\w+ ?){1,6}|(?:ja )?nao (?:quero|desejo|gostaria de) (?:mais |receber |de )*(?:receber|mensage\w+|sms|mais|nada|isso|publicidade|propaganda)(?: \w+){0,5}"),
        ("pt", r"(?:remov|retir|tir|exclu|apag|delet)(?:a|am|e|em|er|ar|i|ir) (?:me |o |meu |minha |esse |este )*(?:meu|me|numero|contato|da|dessa|desta|do|telefone)(?: \w+){0,5}|me (?:tir|remov|retir|exclu|descadastr)\w+(?: \w+){0,5}|numero errado|descadastr\w+(?: \w+){0,4}|cancel\w+ (?:a |minha )?(?:inscricao|assinatura)|me deixe\w* em paz"),
        ("it", r"non (?:mi |ci )?(?:\w+ )?(?:invi|mand|scriv|contatt|disturb|chiam)(?:ate|i|ete|a|are|armi|atemi|etemi|ermi|iate)\w*(?: \w+){0,6}|(?:smett|basta|finit)\w* (?:di|con|messaggi|sms|pubblicita|la|spam)?(?: \w+){0,5}|non (?:voglio|desidero|vorrei) (?:piu|ricevere|altri)(?: \w+){0,6}"),
        ("it", r"(?:cancell|rimuov|togli|elimin|disiscriv|disabbon)(?:ate|ete|a|i|e|etemi|atemi|ami|imi|ermi|armi|etevi)\w*(?: (?:mi|il|mio|numero|dalla|lista|vostra|dal|database|per|favore|i|miei|dati|la|mia)){0,8}|numero sbagliato|ha sbagliato numero|lasciatemi in pace"),
        ("nl", r"(?:geen|stop met|niet meer) (?:(?:meer|verdere|de|het|van|met|deze|die|jullie) )*(?:sms\w*|berichten|berichtjes|reclame|sturen|smsen|appen|benaderen|contact|spam|mailen|bellen|aanbiedingen)(?: \w+){0,5}|(?:haal|verwijder|schrap|schrijf) (?:mij|me|mijn)(?: \w+){0,6}|uitschrijven|afmelden|verkeerd(?:e)? nummer|laat (?:me|mij) met rust|stuur (?:me|mij) (?:geen|niets|niks|nooit)(?: \w+){0,5}"),
        ("pl", r"(?:prosze )?nie (?:wysyl|pis|przysyl|dzwon|kontakt|chce|zycz|zgadzam)\w*(?: \w+){0,7}|(?:prosze )?(?:przesta|wypis|usun|skasu)\w*(?: \w+){0,7}|(?:zly|bledny) numer|pomylka|rezygnuje(?: \w+){0,4}|dajcie mi spokoj|cofam zgode|wycofuje zgode"),
        ("ru", r"не (?:надо )?(?:мне )?(?:больше )?(?:пиш|присыла|шл|отправля|звон|беспоко|посыла|хочу|желаю|слать|писать|присылать)\w*(?: \w+){0,6}|больше не \w+(?: \w+){0,5}|(?:отпи[сш]|прекра|хватит|перестан|отстан)\w*(?: \w+){0,6}|(?:удал|убер|исключ)\w+ (?:мо|мен|этот|номер|мой)\w*(?: \w+){0,6}|не туда(?: \w+){0,2}|ошибл\w+(?: \w+){0,2}|(?:неверный|не тот|чужой) номер"),
        ("uk", r"не (?:пиш|надсила|шл|присила|дзвон|турбу|хочу)\w*(?: \w+){0,6}|більше не \w+(?: \w+){0,5}|(?:відпи|припин|видал)\w*(?: \w+){0,5}|досить(?: \w+){0,4}"),
        ("sv", r"(?:sluta|slut|slutt|stopp) (?:\w+ ){0,1}?(?:skicka|skicke|sende|send|sms\w*|med|maila|kontakta|at)(?: \w+){0,6}|(?:inga|ingen|ikke|inte|ej) (?:fler|flere|mer|mere|sms|meddelanden)(?: \w+){0,5}|(?:skicka|send|skriv|kontakt\w*) (?:mig |meg |mir )?(?:inte|ikke|ej)(?: \w+){0,6}|(?:ta|tag) bort (?:mig|mitt|min)(?: \w+){0,5}|(?:fjern|slet|slett) (?:mig|meg|mitt|mit|min)(?: \w+){0,5}|(?:fel|forkert|feil) nummer"),
        ("fi", r"(?:ala|alkaa|alkaa) (?:enaa )?(?:laheta|lahettako|tekstaa|soita)\w*(?: \w+){0,4}|vaara numero|poistakaa (?:minut|numeroni)(?: \w+){0,3}|ei enaa \w+"),
        ("tr", r"(?:\w+ ){0,4}?(?:gondermeyin|gonderme|atmayin|atma|istemiyorum|yazmayin|aramayin|cikarin|rahatsiz etmeyin|iptal edin|silin)|yanlis numara"),
        ("ro", r"nu (?:imi |ma |mai |mi )*(?:trimit|scri|contact|vreau|doresc|suna)\w*(?: \w+){0,6}|dezabon\w+(?: \w+){0,4}|numar gresit|sterge\w* numarul\w*(?: \w+){0,3}"),
        ("id", r"(?:jangan|berhenti|stop) (?:\w+ ){0,2}?(?:kirim|sms|hubungi|mengirim|ganggu|menghubungi)(?: \w+){0,6}|salah (?:nomor|sambung)|hapus nomor saya(?: \w+){0,3}"),
        ("tl", r"(?:wag|huwag) (?:\w+ ){0,3}?(?:mag ?text|mag ?send|itext|istorbo)\w*(?: \w+){0,6}|tigilan (?:\w+ ?){1,3}"),
        ("vi", r"(?:dung|khong) (?:\w+ ){0,2}?(?:nhan tin|gui|nhan|lien lac)(?: \w+){0,6}|nham so|huy dang ky"),
        ("hi", r"(?:mujhe )?(?:message|sms|text|msg|messages) (?:mat|band|bund|bhejna band|na) (?:\w+ ?){1,4}|band kar(?:o|en|iye|do)"),
        ("el", r"(?:μη|μην) (?:\w+ ){0,3}?(?:στελν|στειλ|ενοχλ|γραφ)\w*(?: \w+){0,5}|σταματ\w+(?: \w+){0,5}|διαγραψτε(?: \w+){0,4}|λαθος (?:αριθμος|νουμερο)"),
        ("ar", r"(?:لا|لاتر|توقف|كف|اوقف\w*|الغ\w*) (?:\w+ ){0,3}?(?:ترسل|ارسال|الارسال|مراسل|تراسل|رسايل|رسائل|الرسائل|الرسايل|الاشتراك|تتصل|عن)\w*(?: \w+){0,5}|رقم (?:خاطئ|خطا|غلط)|الرقم (?:خطا|غلط|خاطئ)"),
        ("he", r"(?:תפסיקו|תפסיק|להפסיק|אל|די|תסירו|הסירו|תמחקו) (?:\w+ ?){1,5}|מספר שגוי|טעות במספר"),
        ("cs", r"(?:uz )?(?:mi )?ne(?:posilej|pis|kontaktuj|volej|prej|chci)\w*(?: \w+){0,6}|(?:prestan|odhlas|vymaz|smaz|odstran)\w*(?: \w+){0,5}|spatne cislo|uz nechci(?: \w+){0,5}"),
        ("hu", r"ne (?:\w+ )?(?:kuld|irj|zaklass|keress)\w*(?: \w+){0,5}|(?:leiratkoz|torol)\w*(?: \w+){0,4}|rossz szam|teves szam"),
        ("hr", r"ne (?:\w+ )?(?:salj|pis|zov|kontaktir|zel|zelim|smetaj)\w*(?: \w+){0,6}|nemojte (?:\w+ )?(?:slati|pisati|zvati|kontaktirati)(?: \w+){0,5}|(?:prestan|odjav|obris|ukloni|izbris|skin)\w*(?: \w+){0,5}|(?:krivi|pogresan) broj"),
    )
)  # fmt: skip

# Scripts without spaces: parts of the whole text.
UNSPACED_CERTAIN = (
    "退订", "退訂", "取消订阅", "取消訂閱", "拒收", "不要再发", "不要再發", "别再发", "別再發", "别发", "不要发", "请勿发送", "停止发送", "停止發送",
    "不要给我发", "勿扰", "打错了", "发错了", "号码错了", "不再接收", "不想收到", "不要发送", "不要再给我", "别再给我", "送らないで", "配信停止", "配信を停止", "送信を停止",
    "送ってこないで", "連絡しないで", "間違い電話", "番号違い", "受け取りたくない", "登録解除", "解除してください", "配信不要", "止めてください", "やめてください", "いりません", "수신거부", "수신 거부", "보내지마", "보내지 마", "보내지말", "보내지 말",
    "그만 보내", "문자 그만", "연락하지 마", "연락하지마", "잘못된 번호", "번호 틀", "받고 싶지 않", "해지해", "차단해", "구독 취소", "구독취소", "ยกเลิก", "หยุดส่ง", "อย่าส่ง", "ไม่ต้องส่ง", "เลิกส่ง", "ไม่ต้องการรับ", "ผิดเบอร์", "मत भेज", "बंद कर", "संदेश बंद", "गलत नंबर",
)  # fmt: skip
UNSPACED_DOUBTFUL = ("停止", "取消", "解除", "骚扰", "騷擾", "迷惑", "止めて", "やめて", "중지", "그만", "취소", "스팸", "หยุด", "रोक", "बंद", "投诉", "举报", "垃圾短信")
UNSPACED_NEGATED = ("不要退订", "不退订", "别停", "不要停", "不要取消", "不取消", "止めないで", "やめないで", "취소하지", "อย่ายกเลิก", "ไม่ยกเลิก")
UNSPACED_NEGATED_RULE = "negated, no spaces"

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
    r"(?<!\w)(?:(?:dont|never|wont|not|do not|no need to|wouldnt|shouldnt|didnt|why would i|doesnt) (?:(?:ever|you|please|want|to|you dare|want you|really|like|yet|mean|even|dare|going|try|ask|said|say|be) ){0,4})"
    r"(?:stop|unsubscribe|unsubscribed|cancel|opt out|quit|end|remove me|take me off|opted out|optout)(?!\w)"
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
