"""The function words of Spanish."""

from service.answer.rewrite.grammar import Grammar, words

SPANISH = Grammar(
    name="es",
    asking=words(
        "qué que cuál cuáles quién quiénes cuándo dónde adónde cómo cuánto cuánta cuántos cuántas por-qué cual quien cuando"
        " donde como cuanto cuanta cuantos cuantas si"
    ),
    which=words("qué cuál cuáles cuántos cuántas cual cuantos cuantas"),
    measures=words("tiempo largo grande veces lejos alto rápido"),
    auxiliaries=words(
        "es son era eran fue está están estaba ser estar hay había puedo puede pueden puedes podemos podría debo debe deben"
        " tengo tiene tienen ha han he hace hacen va van se quiero"
    ),
    verbs=words(
        "cuesta cuestan tarda tardan dura duran significa pesa pesan necesito necesita necesitan incluye incluyen funciona"
        " funcionan vale valen acepta aceptan cubre ofrece ofrecen empieza termina llega llegan pasa vendéis venden usa"
    ),
    persons=words("yo tú usted ustedes nosotros uno alguien me te nos"),
    articles=words("el la los las un una unos unas lo"),
    determiners=words(
        "mi mis tu tus nuestro nuestra vuestro vuestra vuestros vuestras algún alguna cada todo todos todas otro otra otros"
        " otras ningún ninguna cualquier ambos dos tres"
    ),
    prepositions=words(
        "a al en para por con sin desde hasta sobre entre hacia según durante dentro fuera de del tras contra bajo"
    ),
    of=words("de del"),
    places=words("a al en desde hacia para hasta dentro fuera"),
    clauses=words("y e o u pero si cuando porque aunque mientras pues"),
    adverbs=words(
        "también ya aún todavía solo sólo ahora entonces luego más menos muy aquí allí ahí no exactamente además tampoco"
        " siempre normalmente después antes sí"
    ),
    pronouns=words("eso esto ello él ella ellos ellas ése ésa éste ésta aquello"),
    possessives=words("su sus"),
    demonstratives=words("ese esa esos esas este esta estos estas mismo misma mismos mismas dicho dicha"),
    connectives=r"y|e|o|pero|también|qué (?:hay|pasa) (?:de|con)|qué tal|y qué (?:hay|pasa) (?:de|con)|en cuanto a|además",
    courtesies=r"ok|vale|(?:muchas )?gracias|bien|muy bien|perfecto|genial|entendido|de acuerdo|sí|no|claro|bueno|ah",
    expletives=r"(?:es|sería) (?:posible|necesario|obligatorio|cierto|seguro|mejor)\b|est(?:a|e|os|as) (?:semana|mes|año"
    r"|tarde|noche|verano|invierno|vez)\b|por eso\b|lo que\b|por lo tanto\b",
    pointers=r"allí|ahí|entonces|lo mismo|(?:el|la|los|las) (?:mismo|misma|otro|otra|otros|otras)s?|algo más|qué más"
    r"|más (?:información|detalles)|una? (?:que|más)\b|ambos|de ellos|de ellas|(?:el|la) (?:de antes|anterior)",
    swaps=r"al revés|viceversa|a la inversa|en sentido contrario|al contrario|en la otra dirección",
    ordinals={
        "primero": 0, "primera": 0, "primer": 0, "segundo": 1, "segunda": 1, "tercero": 2, "tercera": 2, "tercer": 2,
        "cuarto": 3, "cuarta": 3, "último": -1, "última": -1, "ultimo": -1, "ultima": -1, "otro": -2, "otra": -2,
    },
    clitics=r"\b\w+(?:[aeiáéí]r)(?:me|te|se|nos)?l[oae]s?\b|\b(?:cómo|como|dónde|donde|cuándo|cuando|cuánto|quién|no|se|me|te"
    r"|nos) l[oae]s? (?=\w)",
    attachments=r"\b(?P<verb>\w+[aeiáéí]r)l[oae]s?\b",
    infinitives=r"\w(?:ar|er|ir|ír)(?:se|me|te|l[oae]s?)?$",
    drops_subjects=True,
    times=words("semana mes año tarde noche verano invierno vez"),
)  # fmt: skip
