/*
 * commands.c - the table of the commands: what each is called, runs, takes and says of itself.
 *
 * main.c looks a command up in it; help explains from it, and gets it through its own row.
 */
#include "app/commands.h"

#include "doppel/models.h"

const command commands[] = {
    {"enroll", cmd_enroll, true, "DIR|FILE…", "put people's photos into the gallery",
     options_of_enroll,
     "In a folder, a photo belongs to the person whom the folder that holds it is named after, at\n"
     "any depth. Photos directly in the folder given, and files given from one folder, are one\n"
     "person each, named by the file without its ending; people/* and people/*/*.jpg mean what\n"
     "people does. A year or a date is nobody: the folder above names its photos. --name gives\n"
     "one name to all. Enrolling again looks only at what has changed; a photo that has moved\n"
     "keeps its person.\n"
     "\n"
     "A file that is gone, empty or unreadable takes nothing away: what was enrolled of it\n"
     "stays. --prune removes the photos whose files are gone, unless that looks like an absent\n"
     "disk. doppel undo takes back what a run has done.\n"
     "\n"
     "A vector of the whole picture is kept, too, for query --by image, where " DPL_MODEL_IMAGE "\n"
     "is installed, unless --image-model none is given. Photos enrolled without one get it with\n"
     "--force.\n"
     "\n"
     "With --text-model what is written about the photos is kept, too, for query --text: the "
     "lines\n"
     "of PHOTO.txt, descriptions in XMP and IPTC, and a list (--captions). The gallery remembers\n"
     "the model, and each run brings captions up to date.\n"
     "\n"
     "Refused files are counted by their reason, -v lists them; their status counts in the exit\n"
     "status. What is no picture is only counted. Left out are hidden files, what file servers\n"
     "and desktops put aside (@eaDir, #recycle, lost+found, __MACOSX and their like), and what\n"
     "a file .doppelignore in a folder names, a pattern a line.\n"
     "Interrupted (SIGINT, SIGTERM), it keeps what is done and goes on when run again.",
     NULL},
    {"scan", cmd_scan, true, "DIR|FILE…", "put photos into the gallery, whosever they are",
     options_of_scan,
     "Every photo, with all its faces, which are nobody's, and with an image model its whole\n"
     "picture's vector (--image-model), so that query finds both. Names of folders play no part.\n"
     "A photo without a face, or with faces too poor, is no failure.\n"
     "\n"
     "Nobody loses anything by it: photos that are somebody's, and faces named by hand, stay so.\n"
     "The other way, enroll makes photos of nobody's a person's.\n"
     "\n"
     "All else is as of enroll: scanning again looks only at what is new, a photo that has moved\n"
     "is the same photo, one that is gone or unreadable stays, doppel undo takes a run back, and\n"
     "one that is interrupted keeps what is done and goes on when run again.",
     NULL},
    {"verify", cmd_verify, false, "A B | PHOTO --as NAME | --text A B",
     "tell whether two photos show the same person", options_of_verify,
     "The exit status is 0 for a match and for nothing else. - in the place of a photo is one on\n"
     "standard input.\n"
     "\n"
     "--text compares two sentences instead, by a model of sentences: whether they say the same, "
     "in\n"
     "the sense that it was trained for. All else is the same: without a calibration in the model "
     "a\n"
     "--threshold decides.\n"
     "\n"
     "--fmr chooses how often strangers may pass; the model's calibration, measured on pairs of\n"
     "strangers, turns the rate into a threshold. Where the measurement cannot tell on which side\n"
     "of the rate a score lies, the answer is \"inconclusive\".",
     NULL},
    {"query", cmd_query, true, "PHOTO|DIR… | --text SENTENCE…",
     "tell who is in the photos, and what looks like them", options_of_query,
     "Every face in a photo gets an answer; \"unknown\" is one. The threshold allows for the "
     "number\n"
     "of people in the gallery, as each of them is a chance to mistake a stranger for. By the "
     "whole\n"
     "picture (--by image, and photos without a face where the gallery has pictures' vectors)\n"
     "what is alike is ranked, and a copy of the same picture is told by how often others are as\n"
     "alike.\n"
     "\n"
     "--text finds photos by what they show: by captions that enroll or scan have put into the\n"
     "gallery, and by the pictures themselves where the model of sentences is made for the\n"
     "gallery's model of pictures, as " DPL_MODEL_SENTENCE " is for " DPL_MODEL_IMAGE " (or where\n"
     "--image-model and --text-model are given as a pair).\n"
     "\n"
     "Folders are walked as enroll walks them: hidden files, what a .doppelignore names and what "
     "is\n"
     "no picture are passed over, and counted. - alone is a photo on standard input. Where the "
     "output is no terminal, there is a line a\n"
     "face, its fields parted by tabs:\n"
     "\n"
     "file  face  name  score  rate\n"
     "\n"
     "With --text: sentence, file, score by a caption, score of the picture, caption.\n"
     "\n"
     "face is its number from 1, 0 for the whole picture; rate is how often strangers score this\n"
     "high, from 0 to 1; what there is nothing of is \"-\". In the place of a name stands\n"
     "unknown_person, inconclusive (the evidence decides neither way), too_poor (a face of which\n"
     "nothing is claimed), not_judged (there is no calibration and no threshold), or\n"
     "no_persons_found, for a photo without a face; of the whole picture no_copy, or "
     "copy_of_nobody.\n"
     "Score and rate are of the person most like, or else of the picture, also\n"
     "where nobody is named, unless --min-fmr leaves them out. In a name or a path, tab, newline "
     "and\n"
     "backslash are written \\t, \\n and \\\\, and what else is no harmless text, or would be one "
     "of\n"
     "these words, as \\xNN a byte: bash's printf %b gives the bytes back. With --null a line ends "
     "with "
     "NUL\n"
     "and the path is as it is, tabs and all: the last four fields hold none. A photo that cannot "
     "be\n"
     "read has no line; it is told on standard error.\n"
     "\n"
     "The exit status is the worst of all photos': 3 where one is unreadable, has no face, or "
     "only\n"
     "faces too poor; then 6; then 1 where nobody in it is known.",
     NULL},
    {"group", cmd_group, true, "", "gather nobody's faces by who they show", options_of_group,
     "Faces of nobody are put into groups of one person each, the largest first, and each group "
     "has\n"
     "a number, which it keeps when more photos come and groups are made anew. doppel name gives "
     "a\n"
     "group its name. A group that matches somebody known by a search's decision is told as\n"
     "\"perhaps\" them. With --html: a page with the faces of each.\n"
     "\n"
     "--precision asks how much of the groups shall be right, by a table measured on other "
     "photos;\n"
     "a higher one splits people into more groups. What was said by hand holds: a face that is "
     "not\n"
     "somebody, or not the same as another, never comes back to them. Faces too poor to tell stay\n"
     "out. Interrupted, everything is as it was.",
     NULL},
    {"name", cmd_name, true, "NUMBER NAME…", "say who a group of faces shows", options_of_name,
     "All faces of the group become that person's, known or new, as if each had been assigned by\n"
     "hand; those that were said not to be theirs stay out. Several groups are named by several\n"
     "pairs. Where the group does not look like the known person of that name, it asks. doppel "
     "undo\n"
     "takes it back.",
     NULL},
    {"dupes", cmd_dupes, true, "[DIR|PHOTO…]", "find copies, near copies and bursts",
     options_of_dupes,
     "Without an argument: of the gallery's photos. Copies have the same bytes, the same\n"
     "pixels, or show the same picture: reduced, recompressed, cropped, turned, mirrored,\n"
     "tilted a little, in a frame, with a caption, recoloured, blurred. Each is laid over the\n"
     "one to keep, and what was found is said, with how often other pictures agree as well.\n"
     "Photos taken at two moments are no copies: what is alike and was taken within seconds is\n"
     "a burst, by the camera's clock, or where neither photo has it by the files' time.\n"
     "\n"
     "The one to keep is the largest in pixels, then the sharpest, then the oldest. A group is\n"
     "what is a copy of that one, not of another copy. Nothing is removed. The exit status is\n"
     "1 when there is nothing to tell.",
     NULL},
    {"list", cmd_list, false, "", "list the people in the gallery", options_of_list, NULL, NULL},
    {"info", cmd_info, false, "[PERSON|PHOTO]", "tell what the gallery knows", options_of_info,
     "Without an argument: of the gallery itself. Of a person: the photos. Of a photo: "
     "everything.\n"
     "A person's name is taken first; ./NAME is always a photo.",
     NULL},
    {"forget", cmd_forget, false, "PERSON|PHOTO…", "remove people or photos, and prove it",
     options_of_forget,
     "Rows, thumbnails, vectors and index entries go, refused photos of the person, too. The\n"
     "database is written anew; a search for every forgotten vector, and for names, paths and "
     "hashes\n"
     "in every file of the gallery's folder, proves that none is found. The photo files stay "
     "where\n"
     "they are.\n"
     "A person's name is taken first; ./NAME is always a photo.",
     NULL},
    {"rename", cmd_rename, false, "OLD NEW", "give a person another name", options_of_rename,
     "The old name goes on meaning the same person: a folder of that name is still theirs.", NULL},
    {"assign", cmd_assign, false, "PHOTO[#FACE]… NAME", "say whose a face is", options_of_assign,
     "A photo that shows several faces is given with the face's number, from 1, as doppel info\n"
     "PHOTO lists them; a file whose own name ends in #N is taken first. Enrolling the photo\n"
     "again does not change what was said. A photo whose only named face it is becomes NAME's, "
     "too.",
     NULL},
    {"reject", cmd_reject, false, "PHOTO[#FACE] [NAME] | --people A B",
     "say whose a face is not, for good", options_of_reject,
     "Without NAME: whose it is now. The face is nobody's then, and no enrolment of the same\n"
     "content gives it back to them, wherever the file lies. doppel assign does, and doppel\n"
     "undo. Nobody's face without NAME is not who the others of its group are, and is in none\n"
     "with them again. With --people: A and B are two people, however alike, and doppel check\n"
     "tells it no more.",
     NULL},
    {"merge", cmd_merge, true, "A B", "two people are one: all that is A's becomes B's",
     options_of_merge,
     "Photos, faces, refused photos, names that A had, what was said not to be A. A's name means\n"
     "B from then on: a folder of that name is B's. It says how alike the two are, and asks where\n"
     "they do not match at the rate of a gallery of so many people.",
     NULL},
    {"undo", cmd_undo, false, "", "take the last change back", options_of_undo,
     "It first says what the last change was, and asks. Taken back twice, it is there again.\n"
     "What one run of a command has done is one change. A forget is final at once: --dry-run\n"
     "shows what it would do.",
     NULL},
    {"audit", cmd_audit, false, "[RECEIPT…]", "tell who changed the gallery, and check receipts",
     options_of_audit,
     "A line a change: when, which user, what, and how many people, photos and templates came,\n"
     "changed or went; no name and no path. Each line carries the SHA-256 of the one before, and\n"
     "the gallery knows the last: one that was altered, taken out or cut off is told, with exit\n"
     "status 4. Queries are in it where query and verify were given --audit.\n"
     "\n"
     "A receipt, which forget --receipt writes, is right when the audit has its line and the line\n"
     "says the same, of the same person or photos.",
     NULL},
    {"export", cmd_export, false, "FILE|-", "write the whole gallery as JSON lines",
     options_of_export,
     "It holds everything: names, paths, vectors, thumbnails. Keep it as you keep the gallery.",
     NULL},
    {"import", cmd_import, false, "FILE", "read an export into a gallery", options_of_import,
     "All of it or nothing. Photos that the gallery knows by path are replaced.", NULL},
    {"check", cmd_check, true, "", "read all of the gallery, mend damage, find wrong references",
     options_of_check,
     "Structure, every row and every index are compared with what was written. Each finding names\n"
     "the photo from which it can be had again. The exit status is 0 when nothing is damaged, and "
     "4\n"
     "when something is, or with --repair still is.\n"
     "\n"
     "--repair reads those photos again, each in one transaction, where the file has the content\n"
     "that was enrolled; --drop also forgets the photos that cannot be had. Where the structure "
     "is\n"
     "damaged, make a new gallery of an export or of the photos.\n"
     "\n"
     "Where nothing is damaged, references are compared with each other: photos unlike their\n"
     "person's others, one file or face under two names, people who match, photos that attract\n"
     "everyone. Each doubt has its evidence and the commands that mend it, to be pasted. Doubts\n"
     "change no exit status; what was said by hand (assign, reject, reject --people) is not\n"
     "doubted again.",
     NULL},
    {"xmp", cmd_xmp, false, "write [PERSON|PHOTO|DIR…] | read PHOTO|DIR…",
     "bring names of faces into sidecars, or in from them", options_of_xmp,
     "Sidecars are the files PHOTO.EXT.xmp (or PHOTO.xmp) that digiKam, immich, PhotoPrism,\n"
     "Lightroom and others keep beside photos, with face regions as the Metadata Working Group\n"
     "describes them. Photos are never touched.\n"
     "\n"
     "write brings the named faces of photos that are there into their sidecars, and leaves all\n"
     "else in them. A name that doppel wrote follows the gallery; one that somebody else gave to "
     "a\n"
     "face stays unless --overwrite is said. A person's name is taken first; ./NAME is always a\n"
     "photo or a folder.\n"
     "\n"
     "read gives faces of the gallery the names of the regions that lie on them, as assign does. "
     "A\n"
     "name that somebody gave by hand stays unless --overwrite is said. Photos have to be in the\n"
     "gallery: doppel scan or enroll puts them there. doppel undo takes it back.",
     NULL},
    {"migrate", cmd_migrate, true, "", "go over to another model", options_of_migrate,
     "Vectors of two models are not comparable, so a gallery of another model is refused. This\n"
     "makes its vectors anew, by the model that is installed now or by --model: from the photos\n"
     "where they still are with the content that was enrolled, else from the thumbnails, until a\n"
     "later enroll or migrate finds the photo. Names, what was put right by hand, and groups "
     "stay.\n"
     "\n"
     "With --text-model the captions alone go over: their words are in the gallery.\n"
     "\n"
     "It tells which decisions change: of whose photos the new model decides otherwise, compared\n"
     "with the person's others and with the most similar of all other people.\n"
     "\n"
     "The gallery is as it was until everything is there. Interrupted or killed, it goes on when\n"
     "run again. It cannot be undone: --keep writes an export of the former gallery first.\n"
     "\n"
     "With --to it is the database that changes, not the model: everything goes into another\n"
     "gallery, in a folder or in PostgreSQL, at once or not at all. Exports of the two are the\n"
     "same bytes; the audit and calibration.json go with it. The former gallery stays as it is.",
     NULL},
    {"calibrate", cmd_calibrate, true, "[DATA]", "measure how often strangers score high",
     options_of_calibrate,
     "Decisions by rate (verify --fmr, query --fpir) need a table from score to false match rate.\n"
     "This makes it from people who are known: the gallery's own, or DATA, a folder with a folder\n"
     "per person, a zip of such, or a CSV with the columns file and class, and perhaps stratum\n"
     "(groups whose rates may differ, several parted by \";\": the bounds then hold for each) and\n"
     "role (calibrate or cohort). All pairs of two people are scored; bounds are of 95 %, by a\n"
     "bootstrap over people. It is kept beside the gallery (calibration.json) or in the model's\n"
     "file (--into), and the gallery's wins.\n"
     "\n"
     "With --text, DATA is a list of pairs of sentences (a, b, label) for a --text-model.\n"
     "\n"
     "With too few people or pairs for --fmr it says how many are needed and writes nothing. "
     "Pairs\n"
     "of strangers who look like one person are shown, and counted as strangers until --review "
     "says\n"
     "\"same\". A picture that gives no vector is told and left out, and its status counts in the\n"
     "exit status.",
     NULL},
    {"eval", cmd_eval, true, "pairs LIST | oneshot DATA | retrieval LIST",
     "measure an encoder on what has known answers", options_of_eval,
     "pairs reads LFW's lists (\"500\" or \"10 300\" first; NAME/NAME_0001.jpg below --dir) or\n"
     "a CSV with the columns a, b, same (1 or 0) and perhaps fold. It gives accuracy, AUC, EER\n"
     "and TAR at FAR. Accuracy is over folds, each at the threshold that is best on the others; a\n"
     "list without folds is cut into ten. Faces are found and aligned as verify does, unless the\n"
     "encoder is of whole pictures or --aligned is given. --random N draws the pairs from DATA.\n"
     "\n"
     "Pairs of sentences are CSV or TSV with the columns a, b, label (or sentence1, sentence2,\n"
     "score; question1, question2, is_duplicate), or TSV of three columns without a header; the\n"
     "label is 1 or 0, or with --grades a grade. a and b may be vectors, too (--kinds vectors):\n"
     "FILE.npy:ROW, or numbers; without --model they are compared as they are, by the cosine. A\n"
     "side's model of its own is --second-model, of sentences beside pictures --text-model. With\n"
     "grades it gives Pearson's and Spearman's correlation and the squared error; with\n"
     "--threshold-from also that by the straight line that is best on the other list.\n"
     "\n"
     "retrieval asks with each item of either side of the pairs of a LIST for its partners among\n"
     "all of the other: recall at 1, 5 and 10 and the ranks of the first right answer. A LIST of\n"
     "pictures and sentences is CSV with the columns picture and sentence, or TSV of split, file,\n"
     "number and sentence (--split test takes one). What is exactly as near as the right answer\n"
     "stands before it.\n"
     "\n"
     "oneshot shows one picture of each class and asks which of them the test is: Lake's runs\n"
     "(--runs), or trials drawn from DATA: item j of every class, and item i of one, which in\n"
     "Omniglot are two drawers'. Pictures are taken whole unless --detect faces is given.\n"
     "\n"
     "DATA is a folder with a folder per class, a CSV, or a zip read in place; the folder above a\n"
     "class is its group. For pairs --random it may be of sentences (text, label) or vectors\n"
     "(columns of numbers and label; an .npy with --classes), too. What gives no vector is told,\n"
     "its pairs are \"no match\" and its trials lost, and its status counts in the exit status.",
     NULL},
    {"train", cmd_train, true, "DATA | --resume DIR", "train an encoder on a folder of pictures",
     options_of_train,
     "DATA is a folder with a folder per class, a CSV with path and label, or a zip read in place\n"
     "(\"file.zip:inner/folder\"); the folder above a class is its group.\n"
     "\n"
     "The run's folder holds config.json, log.jsonl, report.html (curves), best.onnx and "
     "last.onnx\n"
     "(encoders for --model), and checkpoint.bin. Interrupted (SIGINT, SIGTERM), it saves and can "
     "be\n"
     "resumed, to the same bits as if it had not been. Killed, it loses what came after the last\n"
     "checkpoint: one is written at every validation and epoch, and at least every\n"
     "--checkpoint-minutes. When resumed, only --epochs, --steps, --patience, --threads, "
     "--log-steps,\n"
     "--checkpoint-minutes, --max-memory-gib, --max-memory and --max-pixels may be given anew.\n"
     "\n"
     "Networks: koch2015 (Koch, Zemel, Salakhutdinov 2015), koch2015-bn, resnet-drawing,\n"
     "mobilefacenet. A loss that is not finite stops the run and names the layer.",
     NULL},
    {"serve", cmd_serve, true, "", "answer over HTTP, and to a browser", options_of_serve,
     "A page for people and routes for programs, on this machine alone unless --listen and\n"
     "--token-file say otherwise; docs/serve.md tells them. Answers are the objects of --json.\n"
     "\n"
     "The server is the gallery's one writer while it runs, unless --read-only is given: other\n"
     "commands may read the gallery then, and not change it. Photos that are enrolled over HTTP\n"
     "are kept; no other photo that comes touches the disk. SIGTERM and SIGINT finish what runs.",
     NULL},
    {"config", cmd_config, false, "[COMMAND]", "show which defaults are in force, and from where",
     options_of_config,
     "Defaults of options stand in $XDG_CONFIG_HOME/doppel/config, else ~/.config/doppel/config,\n"
     "by the options' names:\n"
     "\n"
     "# a remark\n"
     "gallery = ~/faces\n"
     "[verify]\n"
     "fmr = 1e-5\n"
     "\n"
     "What stands before the first section is for every command that has the option; a section is\n"
     "one command's, and wins. A flag is yes or no, or its bare name. ~/ is home; another path\n"
     "that does not begin with / is looked for from where doppel is run. An option on the command\n"
     "line wins over the environment, that over the file, that over what is built in. What says\n"
     "what is to be done (a name, a file to write, --yes, --dry-run, --prune) is not for the "
     "file.\n"
     "A wrong line stops every command and is told with its number; config tells all of them, and\n"
     "its exit status is then 2. With COMMAND: all of its options.",
     NULL},
    {"version", cmd_version, true, "", "tell what is installed", options_of_version,
     "The program, its models with their hashes, what the processor and the libraries are.", NULL},
    {"help", cmd_help, false, "[COMMAND]", "explain a command, or all of them", options_of_help,
     NULL, NULL},
    {0}};
