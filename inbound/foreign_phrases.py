# ruff: noqa: E501  a pattern is easier to check on one line
"""The same in other languages: `inbound/phrases.py` says how a phrase is judged."""

import re

from inbound import folding, phrases

# Other languages, over the folded clause; natives have not checked them yet.
FOREIGN = tuple(
    phrases.certain(f"{language} phrase", folding.strip_marks(pattern))
    for language, pattern in (
        ("es", r"no (?:me |nos )?(?:\w+ )?(?:envi(?:e|en|es|eis)|mand(?:e|en|es)|escrib(?:a|an|as)|contact(?:e|en|es)|molest(?:e|en|es)|texte(?:e|en|es))(?:me|nos|le)?(?: \w+){0,8}"),
        ("es", r"(?:dej|par)(?:a|e|en|ad|ame|enme|adme)n? de (?:envi|mand|escrib|molest|contact|llam|text|fastid)\w*(?: \w+){0,6}"),
        ("es", r"(?:dar|dame|deme|darme|denme|dadme|darse) (?:de |la )?baja(?: \w+){0,6}|(?:quiero|deseo|solicito|pido) (?:la |mi |una )?baja(?: \w+){0,6}"),
        ("es", r"(?:ya )?no (?:quiero|deseo|quisiera|necesito|me interesa|estoy interesad\w) ?(?:(?:recibir|mas|sus|tus|estos|esos|de|que|me|seguir|recibiendo|ningun|ninguna|los) ){0,5}(?:mensajes?|sms|textos?|publicidad|promociones|propaganda|recibir|notificaciones|contacten|escriban|manden|spam)(?: \w+){0,5}"),
        ("es", r"no mas (?:mensajes|sms|textos|publicidad|spam|promociones)(?: \w+){0,4}"),
        ("es", r"(?:quit|borr|elimin|saqu|sac|remuev|remov|tach)\w* (?:me |mi |a mi |mis |este )*(?:numero|datos|telefono|nombre|de (?:la|su|esta|tu) (?:lista|base))(?: \w+){0,6}|numero equivocado|se equivoc\w+ de numero|cancel\w+ (?:la |mi |esta )?suscripcion|desuscrib\w+"),
        ("fr", r"(?:n|ne) ?(?:m|me|nous)? ?(?:menvoy|mecri|envoy|ecri|contact|derang|sollicit|harcel)(?:ez|e|es|er|ivez|vez|vais)?(?: (?:plus|pas|jamais|rien|de|des|aucun|aucune|sms|messages|textos|svp|moi|a|ce|numero|publicite|pub|merci|sur)){1,8}"),
        ("fr", r"(?:arret|cess|stopp)(?:e|ez|er|ons)?z? (?:de |d|des |les |ces |vos |avec )(?:m|me|nous|les|des|vos|ces)? ?(?:envo|ecri|derang|harcel|messag|sms|text|contact|appel|spam|pub|sollicit|menvo|mecri)\w*(?: \w+){0,6}"),
        ("fr", r"(?:je )?ne (?:veux|souhaite|desire|voudrais) plus (?:recevoir|de (?:sms|messages|pub|textos|publicite)|etre (?:contact|sollicit)\w*|(?:vos|ces|aucun|aucune|de vos) (?:sms|messages?|textos?|offres|pubs?|promos?))(?: \w+){0,6}|plus (?:de|aucun) (?:sms|messages?|textos?|pub|publicite)(?: \w+){0,4}|desabonn\w+(?: \w+){0,5}|desinscri\w+(?: \w+){0,5}"),
        ("fr", r"(?:retir|enlev|supprim|effac|ot|ray)(?:ez|er|e) (?:moi|mon (?:numero|nom|contact|telephone)|mes (?:donnees|coordonnees)|ce numero)(?: \w+){0,6}|(?:mauvais|faux|erreur de) numero(?: \w+){0,4}|laisse(?:z)? (?:moi|nous) (?:tranquille|en paix)|stop (?:aux|les|la|a la|a vos|vos) \w+|vous vous trompez de numero"),
        ("de", r"(?:bitte )?(?:keine?n?|kein) (?:(?:weiteren?|mehr|werbe|solche|diese|ihrer) ){0,2}(?:sms|nachrichten|werbung|texte|mitteilungen|werbesms|anrufe|benachrichtigungen|spam|kontakt|newsletter)(?: (?:mehr|bitte|senden|schicken|danke|an|diese|von|ihnen|euch|mir|uns|erhalten|bekommen|nummer|empfangen|wollen|werbung|weiteren)){0,6}$"),
        ("de", r"(?:horen|hort|hor|hoeren|hoert) (?:sie )?(?:bitte |endlich |damit |sofort )*auf(?: \w+){0,6}|aufho?e?ren(?: \w+){0,4}|(?:nicht|nie) (?:mehr|wieder|weiter) (?:\w+ ){0,2}?(?:schreiben|kontaktieren|anschreiben|senden|schicken|texten|anrufen|kontaktiert|belastigen|angeschrieben)"),
        ("de", r"(?:schreib|schick|send|kontaktier|belastig)\w* (?:sie )?(?:mir|mich|uns) (?:bitte )?(?:keine?|nicht|nix|nie|bloss nicht)(?: \w+){0,6}|(?:mich|mir) (?:bitte )?(?:abmelden|austragen|entfernen|loschen)|(?:abo|abonnement) (?:kundigen|beenden|abbestellen)|lass(?:t|en sie)? mich (?:bitte )?in ruhe"),
        ("de", r"(?:losch|entfern|streich|nehm|nimm|trag|meld)\w* (?:sie )?(?:bitte )?(?:mich|meine? (?:nummer|daten|telefonnummer|handynummer|kontakt\w*))(?: \w+){0,7}|falsche nummer|falsch verbunden|widerruf\w*(?: \w+){0,5}|(?:von|aus) (?:der|ihrer|eurer|dem) (?:liste|verteiler)(?: \w+){0,3}"),
        ("de", r"(?:will|mochte|wunsche|mocht) (?:\w+ ){0,3}?(?:keine?|nicht mehr|nichts mehr) (?:\w+ ){0,3}?(?:sms|nachrichten|werbung|texte|kontaktiert|angeschrieben|empfangen|informiert|infos|newsletter|horen)(?: \w+){0,4}"),
        ("pt", r"nao (?:me )?(?:\w+ )?(?:envi(?:e|em|es)|mand(?:e|em|es)|escrev(?:a|am)|contat(?:e|em)|contact(?:e|em)|perturb(?:e|em))(?: \w+){0,7}|(?:pare|parem|para|parar|deixe|deixem|chega) (?:de|com) (?:me |os |as |essas? |esses? )*(?:envi|mand|escrev|mensag|sms|spam|perturb|ligar|enche|contat|propaganda|text)\w*(?: \w+){0,5}|(?:ja )?nao (?:quero|desejo|gostaria de) (?:mais |receber |de |suas |essas |nenhuma )*(?:receber|mensage\w+|sms|publicidade|propaganda|contato)(?: \w+){0,5}"),
        ("pt", r"(?:remov|retir|tir|exclu|apag|delet)(?:a|am|e|em|er|ar|i|ir) (?:me |o |meu |minha |esse |este )*(?:numero|contato|da lista|dessa lista|desta lista|telefone|me da)(?: \w+){0,5}|me (?:tir|remov|retir|exclu|descadastr)\w+(?: \w+){0,5}|numero errado|descadastr\w+(?: \w+){0,4}|cancel\w+ (?:a |minha )?(?:inscricao|assinatura)|me deixe\w* em paz"),
        ("it", r"non (?:mi |ci )?(?:\w+ )?(?:invi(?:ate|i|armi|atemi)|mand(?:ate|i|armi|atemi)|scriv(?:ete|i|ermi|etemi)|contatt(?:ate|i|armi|atemi)|disturb(?:ate|i|armi|atemi))(?: \w+){0,6}|(?:smett\w*|basta|finit\w*) (?:di |con )?(?:gli |le |questi |i )?(?:scriver|mandar|inviar|messaggi|sms|pubblicita|spam|disturbar)\w*(?: \w+){0,5}|non (?:voglio|desidero|vorrei) (?:piu |ricevere |altri |piu ricevere )+(?:messaggi|sms|ricever\w*|pubblicita|comunicazioni|vostr\w+|nulla|niente|altri|i)?(?: \w+){0,4}"),
        ("it", r"(?:cancell|rimuov|togli|elimin|disiscriv|disabbon)(?:atemi|etemi|ami|imi|ermi|armi|etevi|ete il mio numero|ate il mio numero|a il mio numero|i il mio numero|ate i miei dati|ete i miei dati)(?: \w+){0,7}|numero sbagliato|ha sbagliato numero|lasciatemi in pace"),
        ("nl", r"(?:geen|stop met|niet meer) (?:(?:meer|verdere|de|het|van|met|deze|die|jullie) )*(?:sms\w*|berichten|berichtjes|reclame|sturen|smsen|appen|benaderen|spam|mailen|bellen)(?: (?:meer|aub|graag|alsjeblieft|sturen|bedankt|dank|je|wel|naar|dit|nummer|van|jullie)){0,5}$|(?:haal|verwijder|schrap|schrijf) (?:mij|me|mijn (?:nummer|gegevens))(?: \w+){0,6}|verkeerd(?:e)? nummer|laat (?:me|mij) met rust|stuur (?:me|mij) (?:geen|niets|niks|nooit)(?: \w+){0,5}"),
        ("es", r"(?:quit|borr|elimin|saqu|sac|remuev|retir|exclu|desuscrib)\w*(?:me|nos)(?: (?:ya|por|favor|de|la|su|sus|tu|esta|esa|ese|lista|listas|base|datos|ahi|aqui|todo|contactos|numero|inmediato|gracias|porfa)){0,8}$|no (?:me |nos )?(?:vuelv\w+ a|sigan?|sigas|esten|andes?) (?:a )?(?:me )?(?:escrib|mand|envi|contact|llam|molest|jod|chinga)\w*(?: \w+){0,6}|(?:favor de |ruego |solicito |pido )?no (?:enviar|mandar|escribir|contactar|molestar)(?:me|nos|le)?(?: \w+){0,6}|(?:dej|par)\w* de (?:freg|insist|jod|ching|estar)\w*(?: \w+){0,4}"),
        ("fr", r"ne plus (?:m |me |nous |jamais )?(?:menvoyer|envoyer|ecrire|mecrire|contacter|solliciter|deranger|recevoir|importuner|relancer)(?: \w+){0,6}|(?:foutez|fichez|fous|fiche) (?:moi|nous) la paix|lach(?:ez|e) (?:moi|nous)(?: \w+){0,4}$|(?:desactivez|coupez|stoppez) les (?:notifications|sms|messages|alertes|pubs)|(?:desinscriv|desabonn|retir|enlev|supprim|effac|exclu|vir|sort)\w* moi$"),
        ("de", r"aus (?:dem|der|ihrem|eurem|allen) (?:\w+ ){0,2}?(?:verteiler|liste|listen)(?: \w+){0,4}|unterlass\w* (?:sie )?(?:bitte |kunftig )?(?:das|dies|jede\w*|es)(?: \w+){0,3}|(?:meine |diese )?(?:handy|telefon)?nummer (?:bitte )?(?:sofort )?(?:loschen|entfernen|streichen)|(?:bitte |sofort |endlich |mich ){1,3}(?:loschen|austragen|abmelden|streichen)$|nicht mehr (?:\w+ ){0,2}?(?:melden|verwenden|benutzen)$|schluss mit (?:den |euren |ihren |der )?(?:sms|nachrichten|werbung|spam)|in ruhe gelassen werden"),
        ("it", r"non (?:\w+ )?(?:ricevere|ricevo) (?:piu|altri|altre)(?: \w+){0,5}|essere (?:rimoss|cancellat|eliminat|lasciat)[aoi](?: \w+){0,5}|lasciate(?:mi|ci) (?:stare|in pace)|smett\w* di (?:mandar|scriver|inviar|disturbar)\w*(?: \w+){0,4}"),
        ("pt", r"nao (?:me )?(?:enviar|mandar|contatar|contactar|escrever|chamem|incomodem)(?: \w+){0,5}|quero ser (?:removid|excluid|deixad)[oa](?: \w+){0,4}|(?:me )?(?:exclu|remov|retir|tir)\w+(?:m|me)? (?:me )?(?:dessa|desta|da) lista(?: \w+){0,4}"),
        ("nl", r"wilt u (?:mij|me|mijn nummer) (?:\w+ ){0,3}?(?:verwijderen|uitschrijven|wissen|halen)(?: \w+){0,2}|uit (?:uw|jullie|het|de) (?:bestand|systeem|lijst|database)(?: \w+){0,2}|nooit meer (?:sturen|sms|smsen|schrijven|contact)\w*|met rust gelaten|ophouden met (?:\w+ ){0,2}?(?:sms\w*|berichten|sturen)"),
        ("pl", r"(?:prosze )?(?:juz )?nie (?:wysyl|pis|przysyl|dzwon|kontakt)(?:aj|ajcie|z|zcie|ac|ujcie|uj|ncie)\w*(?: \w+){0,7}|nie (?:chce|zycze sobie) (?:\w+ ){0,2}?(?:otrzym|dosta|sms|wiadomosc|reklam|kontakt)\w*(?: \w+){0,4}|(?:prosze )?(?:przestan|przestac|wypis)\w*(?: \w+){0,7}|(?:usun|skasuj)\w* (?:moj|mnie|numer|z listy)\w*(?: \w+){0,5}|(?:zly|bledny) numer|pomylka|dajcie mi spokoj|(?:cofam|wycofuje) zgode"),
        ("ru", r"не (?:надо )?(?:мне )?(?:больше )?(?:пишите|пиши|присылай|шлите|шли|отправляй|звоните|звони|беспокой|посылай|слать|писать|присылать)\w*(?: \w+){0,6}|(?:больше )?не (?:хочу|желаю) (?:\w+ )?(?:получать|смс|рассыл|сообщен|ваши)\w*(?: \w+){0,4}|(?:отпишит|отпиши|отписат|прекратит|хватит|перестан|отстан)\w*(?: \w+){0,6}|(?:удал|убер|исключ)\w+ (?:мой|меня|этот) ?(?:номер|из|с)?(?: \w+){0,5}$|не туда попали|ошибл\w+ номером|(?:неверный|не тот|чужой) номер"),
        ("uk", r"не (?:пишіть|пиши|надсилай|шліть|присилай|дзвоніть|турбу)\w*(?: \w+){0,6}|(?:більше )?не хочу (?:\w+ )?(?:отримувати|смс|повідомлен)\w*(?: \w+){0,4}|(?:відпиші|відписа|припиніть|видаліть)\w*(?: \w+){0,5}"),
        ("sv", r"(?:sluta|slut|slutt|stopp) (?:\w+ ){0,1}?(?:skicka|skicke|sende|send|sms\w*|maila|kontakta)(?: \w+){0,6}|(?:inga|ingen|ikke|inte|ej) (?:fler|flere|mer|mere|sms|meddelanden|send|skicka)(?: \w+){0,5}|(?:skicka|send|skriv|kontakt\w*) (?:mig |meg |mir )?(?:inte|ikke|ej)(?: \w+){0,6}|(?:ta|tag) bort (?:mig|mitt nummer|min)(?: \w+){0,5}|(?:fjern|slet|slett) (?:mig|meg|mitt|mit|min)(?: \w+){0,5}|(?:fel|forkert|feil) nummer"),
        ("fi", r"(?:ala|alkaa) (?:enaa )?(?:laheta|lahettako|tekstaa|soita)\w*(?: \w+){0,4}|vaara numero|poistakaa (?:minut|numeroni)(?: \w+){0,3}"),
        ("tr", r"(?:\w+ ){0,4}?(?:gondermeyin|atmayin|yazmayin|aramayin|rahatsiz etmeyin)|(?:mesaj|sms|reklam|bildirim)\w* (?:\w+ ){0,2}?(?:istemiyorum|iptal edin|gonderme|atma)|(?:beni|numaram\w*) (?:\w+ ){0,2}?(?:cikarin|silin)|yanlis numara"),
        ("ro", r"nu (?:imi |ma |mai |mi )*(?:trimite|scrie|contacta|suna)\w*(?: \w+){0,6}|nu (?:mai )?(?:vreau|doresc) (?:\w+ ){0,3}?(?:mesaje|sms|primesc)\w*(?: \w+){0,4}|dezabon\w+(?: \w+){0,4}|numar gresit|sterge\w* numarul(?: \w+){0,3}"),
        ("id", r"(?:jangan|berhenti|stop) (?:\w+ ){0,2}?(?:kirim|sms|hubungi|mengirim|ganggu|menghubungi)(?: \w+){0,6}|salah (?:nomor|sambung)|hapus nomor saya(?: \w+){0,3}"),
        ("tl", r"(?:wag|huwag) (?:\w+ ){0,3}?(?:mag ?text|mag ?send|itext|istorbo)\w*(?: \w+){0,6}|tigilan \w+(?: \w+){0,2}"),
        ("vi", r"dung (?:\w+ ){0,2}?(?:nhan tin|gui|lien lac)(?: \w+){0,6}|khong (?:muon nhan|nhan tin nua|gui nua)(?: \w+){0,4}|nham so|huy dang ky"),
        ("hi", r"(?:mujhe )?(?:message|sms|text|msg|messages) (?:mat|band|bund|bhejna band) \w+(?: \w+){0,3}|band kar(?:o|en|iye|do)"),
        ("el", r"(?:μη|μην) (?:\w+ ){0,3}?(?:στελν|στειλ|ενοχλ|γραφ)\w*(?: \w+){0,5}|σταματ\w+(?: \w+){0,5}|διαγραψτε(?: \w+){0,4}|λαθος (?:αριθμος|νουμερο)"),
        ("ar", r"لا (?:ترسل|تراسل|تتصل|تبعث)\w*(?: \w+){0,6}|(?:توقف|توقفوا|كف|كفوا|اوقف\w*) (?:عن )?(?:ال)?(?:ارسال|مراسل|رسا)\w*(?: \w+){0,5}|الغاء (?:\w+ ){0,1}?الاشتراك|رقم (?:خاطئ|خطا|غلط)|الرقم (?:خطا|غلط|خاطئ)"),
        ("he", r"(?:תפסיקו|תפסיק|להפסיק|תסירו|הסירו|תמחקו) \w+(?: \w+){0,4}|(?:אל|לא) (?:תשלח|לשלוח|תכתב|תפנו|לפנות)\w*(?: \w+){0,5}|די עם \w+(?: \w+){0,2}|מספר שגוי|טעות במספר"),
        ("cs", r"(?:uz )?(?:mi )?ne(?:posilejte|posilej|piste|kontaktujte|volejte)(?: \w+){0,6}|(?:prestante|prestan|odhlaste|odhlas) \w+(?: \w+){0,4}|(?:vymaz|smaz|odstran)\w* (?:moje|muj|me|mne)(?: \w+){0,5}|spatne cislo|(?:uz )?nechci (?:\w+ ){0,2}?(?:dostavat|zpravy|sms|reklam\w*)(?: \w+){0,4}"),
        ("hu", r"ne (?:\w+ )?(?:kuldj|irj|zaklass)\w*(?: \w+){0,5}|(?:leiratkoz)\w*(?: \w+){0,4}|torol\w* (?:a szamom|szamomat)(?: \w+){0,3}|rossz szam|teves szam"),
        ("hr", r"ne (?:\w+ )?(?:saljite|salji|pisite|zovite|kontaktirajte|smetajte)(?: \w+){0,6}|nemojte (?:\w+ )?(?:slati|pisati|zvati|kontaktirati)(?: \w+){0,5}|ne zelim (?:\w+ )?(?:primati|poruke|sms)(?: \w+){0,4}|(?:prestanite|odjavite|odjavi) \w+(?: \w+){0,4}|(?:obrisite|uklonite|izbrisite) (?:me|moj)(?: \w+){0,5}|(?:krivi|pogresan) broj"),
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

# A request about something else that is sent: an order, a parcel, a code.
OTHER_THINGS = re.compile(
    r"pedido|codigo|paquete|factura|commande|colis|facture|le code|bestellung|paket|rechnung|lieferung|encomenda|ordine|"
    r"pacco|codice|fattura|bestelling|pakket|zamowien|paczk|заказ|посылк|замовлен|siparis|comanda|pesanan|zasilk|narudzb|rendeles|"
    r"habe (?:noch )?keine?n? \w+ (?:bekommen|erhalten)|no (?:me )?(?:dej|par)\w* de|narret|nicht (?:aufhoren|abmelden)|non smett|nao par\w* de|"
    r"mich (?:\w+ )?(?:an|ein|spater|morgen)$|(?:schrijf|meld) (?:me|mij) (?:\w+ )?(?:in|aan)$|llam\w*me|"
    r"pizza|menu|entrega|livraison|consegna|levering|cita|rendez|termin|appuntamento|bekommen nicht|nicht bekommen|nicht erhalten"
)
