# ruff: noqa: E501  a pattern is easier to check on one line
"""The same in other languages: `inbound/phrases.py` says how a phrase is judged."""

from inbound import folding, phrases

# Other languages, over the folded clause; natives have not checked them yet.
FOREIGN = tuple(
    phrases.certain(f"{language} phrase", folding.strip_marks(pattern))
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
UNSPACED_DOUBTFUL = (
    "停止",
    "取消",
    "解除",
    "骚扰",
    "騷擾",
    "迷惑",
    "止めて",
    "やめて",
    "중지",
    "그만",
    "취소",
    "스팸",
    "หยุด",
    "रोक",
    "बंद",
    "投诉",
    "举报",
    "垃圾短信",
)
UNSPACED_NEGATED = (
    "不要退订",
    "不退订",
    "别停",
    "不要停",
    "不要取消",
    "不取消",
    "止めないで",
    "やめないで",
    "취소하지",
    "อย่ายกเลิก",
    "ไม่ยกเลิก",
)
UNSPACED_NEGATED_RULE = "negated, no spaces"
