use drizzle_pilot::{kit::replay::*, term::{Screen, transcript::*}, kit::outcome};
fn main(){ for f in std::env::args().skip(1){ let r=Reader::open(std::io::BufReader::new(std::fs::File::open(&f).unwrap())).unwrap(); let mut s=Screen::with_columns(std::num::NonZeroU16::new(r.header.width.max(1) as u16).unwrap()); let mut o=Observer::default();
 println!("## {f}");
 for p in r { match p.unwrap(){ Piece::Output(t)=>{ let mut ev=vec![]; s.feed(t.as_bytes(),|e|ev.push(e)); for e in ev { if let Some(ob)=o.on(e){ match ob { Observation::Asked(p)=>println!("  ASKED {:?} {:?}",p.question,p.kind), x=>println!("  {x:?}") } } } }, Piece::Keys(k)=>println!("  keys {k:?}") } }
 let t=s.take_text(); println!("  err {:?}", outcome::find_error(&t.lines)); println!("  last {:?}", t.lines.iter().filter(|l|!l.is_empty()).take(3).collect::<Vec<_>>());
}}
